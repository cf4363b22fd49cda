"""Phase 1 as arithmetic on features: the backbone does not move, and the head learns as in the slow way."""

import importlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from florilegium import datasets, files, pixels
from florilegium.augment import draw, train_view
from florilegium.devices import Arithmetic, DeviceImages
from florilegium.features import training_features
from florilegium.garden import draw_garden
from florilegium.head import train_head
from florilegium.inference import evaluation_outputs, torch_engine
from florilegium.manifest import Manifest
from florilegium.networks import build_network, head_dropout, head_name, without_head
from florilegium.seeds import epoch_order, generator

FP32 = Arithmetic(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def garden(tmp_path_factory):
    """Drawn flowers of four species as pixel file, manifest and dataset record."""
    root = tmp_path_factory.mktemp("garden")
    draw_garden(root / "garden", 4, {"train": 24, "val": 30, "test": 1}, 40, 7)
    table = datasets.list_photographs("garden", root / "garden", {})
    table.to_csv(root / "manifest.csv", index=False)
    names = sorted(table["class_name"].unique())
    files.write_json(root / "dataset.json", {"class_names": names, "fingerprint": "drawn", "protocol": "fixed split"})
    pixels.write_pixels(root / "pixels.npy", table["path"].tolist(), 40, workers=1)
    return root


def split(garden, name):
    manifest = Manifest(garden / "manifest.csv", garden / "dataset.json")
    images = DeviceImages(pixels.Pixels(garden / "pixels.npy", manifest.rows(name)), torch.device("cpu"))
    return images, torch.from_numpy(manifest.labels(name))


def worn(architecture, seed=0):
    """A network whose BatchNorm statistics are not the initial ones, so that a change or a wrong fold would show."""
    network = build_network(architecture, 4, None, seed)
    random = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.02, 0.02, generator=random)
            layer.running_var.uniform_(0.5, 1.0, generator=random)
    return network.eval()


def job(garden, settings, folder, weights):
    """The two steps' jobs, as their rules would give them."""
    common = {"manifest": garden / "manifest.csv", "dataset": garden / "dataset.json", "weights": weights}
    made = {name: folder / f"{name}.npy" for name in ("train", "val")} | {"report": folder / "report.json"}
    outcome = {"checkpoint": folder / "phase1_best.pth", "history": folder / "history.csv"}
    about = {
        "params": SimpleNamespace(settings=settings | {"weights": str(weights)}),
        "wildcards": SimpleNamespace(recipe="small", architecture="resnet18", seed="3"),
        "threads": 2,
    }
    extract = SimpleNamespace(
        input=SimpleNamespace(**common, pixels=garden / "pixels.npy"), output=SimpleNamespace(**made), **about
    )
    train = SimpleNamespace(input=SimpleNamespace(**common, **made), output=SimpleNamespace(**outcome), **about)
    return extract, train


def test_phase_1_leaves_the_backbones_parameters_and_buffers_bit_for_bit(garden, settings, tmp_path):
    backbone = {name: tensor for name, tensor in worn("resnet18").state_dict().items() if not name.startswith("fc.")}
    torch.save(backbone, tmp_path / "backbone.pth")
    extract, train = job(garden, settings, tmp_path, tmp_path / "backbone.pth")
    importlib.import_module("extract_features").main(extract)
    importlib.import_module("train_head").main(train)
    after = torch.load(tmp_path / "phase1_best.pth", weights_only=True)["state_dict"]
    assert after.keys() - backbone.keys() == {"fc.weight", "fc.bias"}
    for name, tensor in backbone.items():
        assert torch.equal(after[name], tensor), name
    fresh = build_network("resnet18", 4, None, seed=3).fc.weight
    assert not torch.equal(after["fc.weight"], fresh), "the head did learn"
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["epoch"].tolist() == [1, 2] and (history["lr_backbone"] == 0).all()


def test_features_are_the_plain_networks_for_the_views_of_every_epoch(garden, settings):
    images, _ = split(garden, "train")
    network = without_head(worn("resnet18"))
    out = np.empty((2, len(images), 512), np.float16)
    training_features(torch_engine(network, FP32), images, settings, 5, out)
    for epoch in range(2):
        views, expected = generator(5, phase=1, epoch=epoch), []
        for index in torch.arange(len(images)).split(16):
            drawn = draw(len(index), images.side, 32, settings["augmentation"], views)
            with torch.inference_mode():
                expected.append(network(train_view(images.batch(index), 32, drawn)))
        plain = torch.cat(expected).numpy()
        assert np.abs(out[epoch] - plain).max() < 2e-3 * np.abs(plain).max(), "half a unit of fp16's eleven bits"
    assert np.abs(out[0] - out[1]).mean() > 0, "each epoch has views of its own"


def test_features_depend_on_the_seed_and_on_nothing_else(garden, settings):
    images, _ = split(garden, "val")
    engine = torch_engine(without_head(worn("resnet18")), FP32)
    found = [np.empty((2, len(images), 512), np.float16) for _ in range(3)]
    for out, seed in zip(found, (1, 1, 2), strict=True):
        training_features(engine, images, settings, seed, out)
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()


def slow_way(network, train, val, settings, seed):
    """The course's loop, its BatchNorm frozen properly: the whole network forwarded for every batch of every epoch."""
    head = network.get_submodule(head_name(network))
    phase1 = settings["phase1"]
    optimizer = torch.optim.AdamW(head.parameters(), lr=phase1["learning_rate"], weight_decay=settings["weight_decay"])
    best = 0.0
    for epoch in range(phase1["epochs"]):
        views = generator(seed + 1000, phase=1, epoch=epoch)
        for index in epoch_order(len(train[1]), seed, phase=1, epoch=epoch).split(settings["batch_size"]):
            drawn = draw(len(index), train[0].side, settings["crop"], settings["augmentation"], views)
            logits = network(train_view(train[0].batch(index), settings["crop"], drawn))
            optimizer.zero_grad()
            functional.cross_entropy(logits, train[1][index]).backward()
            optimizer.step()
        outputs = evaluation_outputs(torch_engine(network, FP32), val[0], settings["crop"])
        best = max(best, (outputs.argmax(1) == val[1]).float().mean().item())
    return best


def fast_way(network, train, val, settings, seed):
    head, dropout = network.get_submodule(head_name(network)), head_dropout(network)
    engine = torch_engine(without_head(network), FP32)
    views = np.empty((settings["phase1"]["epochs"], len(train[1]), head.in_features), np.float16)
    training_features(engine, train[0], settings, seed, views)
    features = evaluation_outputs(engine, val[0], settings["crop"])
    return train_head(head, dropout, (views, train[1]), (features, val[1]), settings, seed).best_top1


def test_the_head_gets_as_far_as_in_the_slow_way_over_three_seeds(garden, settings):
    settings["phase1"]["epochs"] = 5
    train, val = split(garden, "train"), split(garden, "val")
    found = []
    for seed in range(3):
        for way in (slow_way, fast_way):
            network = build_network("resnet18", 4, None, seed).eval()
            network.requires_grad_(False).fc.requires_grad_(True)
            found.append(way(network, train, val, settings, seed))
    slow, fast = np.array(found).reshape(3, 2).T
    # 360 decisions on each side: their standard error is 2.6 points, that of the difference 3.7 points.
    assert abs(slow.mean() - fast.mean()) < 2 * 0.037, (slow, fast)
    assert min(slow.mean(), fast.mean()) > 0.35, "of four species; chance is 0.25"


def test_the_head_repeats_with_its_seed_and_not_with_another(settings):
    rng = np.random.default_rng(0)
    labels = torch.arange(40) % 4
    views = rng.normal(size=(2, 40, 8)).astype(np.float16) + labels.numpy()[:, None]
    val = (torch.from_numpy(views[0]).float(), labels)
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        head = torch.nn.Linear(8, 4)
        states.append(train_head(head, 0.5, (views, labels), val, settings, seed).best_state["weight"])
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])
