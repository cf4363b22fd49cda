"""What a recipe may ask of the two phases beyond the course's: each option does what it says, alone and resumed."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from florilegium.augment import evaluation_view
from florilegium.devices import Arithmetic, DeviceImages
from florilegium.errors import UserError
from florilegium.fine_tuning import crop_of_epoch, fine_tune, parameter_groups
from florilegium.freezing import FrozenStages
from florilegium.head import solve_head
from florilegium.inference import inference_arithmetic
from florilegium.networks import build_network, first_stages, load_backbone, stages
from florilegium.pixels import Pixels
from florilegium.progress import Progress
from florilegium.training import validation_due

FP32 = Arithmetic(torch.device("cpu"), torch.float32)
BF16 = Arithmetic(torch.device("cpu"), torch.bfloat16)


@pytest.fixture
def run(mats, settings):
    """A function that fine-tunes a fresh ResNet18 for two epochs with some settings of phase 2."""

    def tuned(progress=None, **phase2):
        settings["phase2"] |= phase2
        network = build_network("resnet18", 2, None, seed=0)
        split = DeviceImages(Pixels(mats[0], np.arange(32)), FP32.device), torch.from_numpy(mats[1])
        return network, fine_tune(network, split, split, settings, 1, FP32, progress)

    return tuned


def statistics(network):
    return torch.cat([buffer.flatten() for name, buffer in network.named_buffers() if "running" in name])


def test_frozen_statistics_stay_bit_for_bit_while_the_layers_learn(run):
    network, _ = run(batch_norm="frozen")
    start = build_network("resnet18", 2, None, seed=0)
    assert torch.equal(statistics(network), statistics(start))
    assert not torch.equal(network.bn1.weight, start.bn1.weight)


def test_reestimated_statistics_are_kept_instead_of_the_running_ones(run):
    running, _ = run(batch_norm="learn")
    network, outcome = run(batch_norm="reestimate")
    assert not torch.allclose(statistics(network), statistics(running))
    network.load_state_dict(outcome.best_state)
    assert all(layer.momentum == 0.1 for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d))


def test_reestimated_statistics_are_those_of_the_whole_split_though_it_is_sorted_by_class(mats, settings):
    settings["phase2"] |= {"batch_norm": "reestimate", "epochs": 1}
    order = np.argsort(mats[1], kind="stable")
    images = DeviceImages(Pixels(mats[0], order), FP32.device)
    split = images, torch.from_numpy(mats[1][order])
    network = build_network("resnet18", 2, None, seed=0)
    network.load_state_dict(fine_tune(network, split, split, settings | {"batch_size": 8}, 1, FP32).best_state)
    with torch.inference_mode():
        whole = network.eval().conv1(evaluation_view(images.batch(torch.arange(32)), settings["test_crop"]))
    variance = whole.var((0, 2, 3))
    assert (network.bn1.running_var / variance - 1).abs().max() < 0.1


@pytest.mark.parametrize("batch_norm", ["learn", "reestimate"])
def test_frozen_stages_stay_bit_for_bit_and_the_others_learn(run, batch_norm):
    network, outcome = run(frozen_stages=3, batch_norm=batch_norm)
    start = build_network("resnet18", 2, None, seed=0).state_dict()
    first = [name for name in start if name.startswith(("conv1.", "bn1.", "layer1."))]
    assert len(first) == 6 + 6 * 4 and all(torch.equal(outcome.best_state[name], start[name]) for name in first)
    learned = {name.split(".")[0] for name in start if not torch.equal(network.state_dict()[name], start[name])}
    assert learned == {"layer2", "layer3", "layer4", "fc"}


def test_frozen_stages_take_fp32_where_bf16_moves_features_by_a_tenth(flowers102, mobilenet_weights, tmp_path):
    network = build_network("mobilenet_v2", 102, None, seed=0)
    load_backbone(network, "file", mobilenet_weights)
    network.eval()
    paths = sorted((flowers102 / "jpg").iterdir())[:16]
    pictures = [np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
    np.save(tmp_path / "pixels.npy", np.stack(pictures))
    images = DeviceImages(Pixels(tmp_path / "pixels.npy", np.arange(16)), FP32.device)
    views = evaluation_view(images.batch(torch.arange(16)), 224)

    @torch.inference_mode()
    def features(arithmetic):
        with arithmetic.autocast():
            return network.features(views).float().mean((2, 3))

    exact = features(FP32)
    blurred = (features(BF16) - exact).norm() / exact.norm()
    with FrozenStages(network, 7, inference_arithmetic(network, BF16, images, 224)).computing():
        mended = (features(BF16) - exact).norm() / exact.norm()
    assert blurred > 0.05 and mended < 0.02
    assert torch.equal(features(FP32), exact), "afterwards the network is as it was"


def test_a_stage_without_a_module_can_be_frozen_too(settings):
    network = build_network("vit_b_16", 2, None, seed=0)
    names = [name for name, _ in stages(network)]
    assert names[0].endswith("(own)") and len(first_stages(network, 2)) == 1
    settings["phase2"]["frozen_stages"] = len(names)
    assert [group["name"] for group in parameter_groups(network, settings)] == ["head"]


def test_the_moving_average_is_what_is_validated_and_kept(run):
    plain, without = run()
    network, outcome = run(ema_decay=0.9)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), plain.parameters(), strict=True)), "learns alike"
    kept = outcome.best_state["conv1.weight"]
    assert not torch.equal(kept, network.conv1.weight) and not torch.equal(kept, without.best_state["conv1.weight"])


def test_only_some_epochs_are_validated_and_the_last_always(run):
    _, outcome = run(epochs=5, validate_every=2)
    assert [bool(np.isnan(row["val_top1"])) for row in outcome.history] == [True, False, True, False, False]
    assert outcome.best_epoch in (2, 4, 5)
    assert [epoch for epoch in range(1, 6) if validation_due(epoch, {"epochs": 5})] == [1, 2, 3, 4, 5], (
        "of phase 1: all"
    )


def test_views_grow_from_the_first_size_to_the_last(settings):
    settings |= {"crop": 224}
    settings["phase2"] |= {"first_crop": 128, "epochs": 5}
    sizes = [crop_of_epoch(epoch, settings) for epoch in range(5)]
    assert sizes == [128, 160, 192, 192, 224]
    settings["phase2"]["first_crop"] = None
    assert {crop_of_epoch(epoch, settings) for epoch in range(5)} == {224}


def test_a_first_crop_larger_than_the_last_is_refused(config):
    from florilegium.configuration import complete

    config["recipe_definitions"]["lesson"]["phase2"]["first_crop"] = 256
    with pytest.raises(UserError, match="phase2.first_crop: 256 .* is larger than crop 224"):
        complete(config)


def test_without_decay_of_norms_the_groups_hold_every_parameter_once_and_the_last_two_stay_in_place(settings):
    network = build_network("mobilenet_v2", 3, None, seed=0)
    whole = parameter_groups(network, settings)
    cut = parameter_groups(network, settings | {"decay_norms": False})
    assert sorted(id(p) for group in cut for p in group["params"]) == sorted(id(p) for p in network.parameters())
    assert [group["name"] for group in cut[-2:]] == [group["name"] for group in whole[-2:]]
    assert [group["lr"] for group in cut[-2:]] == [group["lr"] for group in whole[-2:]]
    spared = [p for group in cut if group.get("weight_decay") == 0 for p in group["params"]]
    names = {name for name, p in network.named_parameters() if any(p is each for each in spared)}
    norms = {f"{name}.{part}" for name, layer in network.named_modules() for part in ("weight", "bias")
             if isinstance(layer, torch.nn.BatchNorm2d)}  # fmt: skip
    assert names == norms | {"classifier.1.bias"}


class Interrupted(Exception):
    """The training's process is gone."""


EVERYTHING = {
    "schedule": {"kind": "one_cycle", "warmup": 0.3, "step_size": 1, "gamma": 0.1},
    "ema_decay": 0.9,
    "average_epochs": 3,
    "mixup": 0.4,
    "cutmix": 1.0,
    "epochs": 4,
}


@pytest.mark.parametrize("kind", ["one_cycle", "cosine"])
def test_an_interrupted_training_with_every_option_ends_with_the_same_bits(run, settings, tmp_path, monkeypatch, kind):
    settings["augmentation"] |= {"min_area": 0.5, "trivial": 0.3, "border": "reflection"}
    settings |= {"decay_norms": False, "label_smoothing": 0.1}
    options = EVERYTHING | {"schedule": EVERYTHING["schedule"] | {"kind": kind}}
    _, whole = run(**options)
    save, saved = Progress.save, []

    def interrupted(self, parts):
        save(self, parts)
        saved.append(1)
        if len(saved) == 2:
            raise Interrupted

    monkeypatch.setattr(Progress, "save", interrupted)
    with pytest.raises(Interrupted):
        run(Progress(tmp_path, "phase2", {}), **options)
    _, resumed = run(Progress(tmp_path, "phase2", {}), **options)
    assert len(saved) == 4 and [row["epoch"] for row in resumed.history] == [1, 2, 3, 4]
    for name, tensor in whole.best_state.items():
        assert torch.equal(tensor, resumed.best_state[name]), name
    keys = ("train_loss", "val_loss", "lr_head", "lr_backbone")
    assert [[row[key] for key in keys] for row in resumed.history] == [
        [row[key] for key in keys] for row in whole.history
    ]


def features(classes, views=2, images=60):
    """Features of every view and their labels: one cloud for each class."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % classes
    centres = rng.normal(size=(classes, 6))
    return (centres[labels] + rng.normal(size=(views, images, 6))).astype(np.float16), torch.from_numpy(labels)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_solved_head_is_the_logistic_regression_of_all_views(settings, classes):
    settings["phase1"] |= {"solver": "logistic", "penalty": 0.01}
    views, labels = features(classes)
    head = torch.nn.Linear(6, classes)
    val = torch.from_numpy(views[0]).float(), labels
    outcome = solve_head(head, (views, labels), val, settings)
    flat, repeated = views.reshape(-1, 6).astype(np.float32), np.tile(labels.numpy(), 2)
    model = LogisticRegression(C=1 / (0.01 * 120), max_iter=500).fit(flat, repeated)
    with torch.no_grad():
        shares = head(torch.from_numpy(flat)).softmax(1).numpy()
    assert np.allclose(shares, model.predict_proba(flat), atol=1e-4)
    row = outcome.history[0]
    assert row["train_top1"] == pytest.approx(model.score(flat, repeated))
    assert outcome.best_top1 == row["val_top1"] == pytest.approx(model.score(views[0].astype(np.float32), labels))
    assert torch.equal(outcome.best_state["weight"], head.weight) and outcome.epochs(1)["stopped_early"] is False


def test_a_larger_penalty_makes_smaller_weights_and_without_validation_the_solution_is_kept(settings):
    views, labels = features(3)
    sizes = []
    for penalty in (0.001, 0.1):
        settings["phase1"] |= {"penalty": penalty}
        head = torch.nn.Linear(6, 3)
        outcome = solve_head(head, (views, labels), None, settings)
        assert outcome.val_top1 is None and torch.equal(outcome.best_state["bias"], head.bias)
        sizes.append(head.weight.square().sum().item())
    assert sizes[0] > 2 * sizes[1]
