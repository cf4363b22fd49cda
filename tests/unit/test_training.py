"""The loop that both phases share: validation chooses the epoch, stops in time, and the history tells it all."""

import pytest
import torch
from torch import nn

from florilegium.epoch_sums import EpochSums, NotFinite
from florilegium.errors import UserError
from florilegium.part_times import PARTS, PartClock
from florilegium.progress import Progress
from florilegium.schedules import Schedule
from florilegium.training import epoch_batches, fit, loss_and_top1

CPU = torch.device("cpu")


def trained(
    validation,
    settings,
    epochs=None,
    losses=None,
    patience=10,
    min_delta=0.001,
    phase=1,
    progress=None,
    train_epoch=lambda epoch: (1.0, 0.5),
):
    """The outcome of a training whose epoch e leaves weight e + 1 and validates as (loss, top-1) `validation[e]`."""
    settings["early_stopping"] = {"patience": patience, "min_delta": min_delta}
    settings[f"phase{phase}"]["epochs"] = epochs or len(validation)
    network = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(
        [{"params": [], "lr": 0.5}, {"params": network.parameters(), "lr": 1.0}]
        if phase == 2
        else network.parameters(),
        lr=1.0,
    )

    def one_epoch(epoch):
        result = (losses[epoch], 0.5) if losses else train_epoch(epoch)
        network.weight.data.fill_(epoch + 1)
        optimizer.step()
        return result

    scores = iter(validation)
    judge, clock = (lambda: next(scores)), PartClock()
    part = settings[f"phase{phase}"]
    schedule = Schedule(optimizer, part["schedule"], part["epochs"], 1)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    return fit(phase, parts, settings, one_epoch, judge, 10, CPU, clock, progress)


def test_the_best_epoch_is_the_one_of_the_highest_validation_top1_and_its_weights_are_kept(settings):
    outcome = trained([(1.0, 0.5), (0.2, 0.7), (0.1, 0.6)], settings)
    assert (outcome.best_epoch, outcome.best_top1) == (2, 0.7)
    assert outcome.best_state["weight"].item() == 2, "not the last epoch's"


@pytest.mark.parametrize(("second_loss", "best"), [(0.9, 2), (1.1, 1), (1.0, 1)])
def test_equal_top1_is_decided_by_the_lower_loss_and_then_by_the_earlier_epoch(settings, second_loss, best):
    assert trained([(1.0, 0.5), (second_loss, 0.5)], settings).best_epoch == best


def test_training_stops_when_patience_epochs_brought_nothing(settings):
    outcome = trained([(1, 0.5), (1, 0.6), (1, 0.6), (1, 0.55), (1, 0.6), (1, 0.9)], settings, patience=3)
    assert outcome.stopped_early and len(outcome.history) == 5 and outcome.best_epoch == 2


def test_the_outcome_says_how_many_epochs_were_planned_ran_and_whether_the_rest_was_cut(settings):
    scores = [(1, 0.5), (1, 0.6), (1, 0.6), (1, 0.55), (1, 0.6)]
    cut, whole = trained(scores, settings, epochs=9, patience=3), trained(scores, settings, patience=3)
    assert cut.epochs(9) == {"planned": 9, "run": 5, "best": 2, "stopped_early": True}
    assert whole.epochs(5) == {"planned": 5, "run": 5, "best": 2, "stopped_early": False}, "nothing was left to cut"


def test_an_improvement_of_min_delta_or_less_does_not_count_but_a_sum_of_them_does(settings):
    slow = [(1, 0.5), (1, 0.5005), (1, 0.501), (1, 0.5025), (1, 0.503), (1, 0.503)]
    outcome = trained(slow, settings, patience=3)
    assert len(outcome.history) == 6, "epoch 4 is more than 0.001 above epoch 1, so patience starts again"
    assert len(trained(slow, settings, patience=2).history) == 3
    assert trained(slow, settings, patience=2).best_epoch == 3, "the best epoch is the best, however little better"


def test_an_improvement_in_time_starts_patience_again(settings):
    scores = [(1, 0.5), (1, 0.4), (1, 0.6), (1, 0.5), (1, 0.7)]
    assert not trained(scores, settings, patience=2).stopped_early


@pytest.mark.parametrize("phase", [1, 2])
def test_the_history_holds_the_rates_of_steplr(settings, phase):
    settings[f"phase{phase}"]["schedule"] = {"kind": "step", "step_size": 2, "gamma": 0.1}
    history = trained([(1, e / 10) for e in range(5)], settings, phase=phase).history
    assert [row["lr_head"] for row in history] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    backbone = [0.5, 0.5, 0.05, 0.05, 0.005] if phase == 2 else [0] * 5
    assert [row["lr_backbone"] for row in history] == pytest.approx(backbone)


def test_the_history_has_a_row_per_epoch_with_everything_in_it(settings):
    history = trained([(0.3, 0.6), (0.2, 0.7)], settings, losses=[0.9, 0.8]).history
    assert [row["epoch"] for row in history] == [1, 2]
    assert [row["train_loss"] for row in history] == [0.9, 0.8] and [row["val_top1"] for row in history] == [0.6, 0.7]
    expected = "phase epoch train_loss train_top1 val_loss val_top1 lr_backbone lr_head seconds images_per_second"
    expected += "".join(f" {part}_seconds" for part in (*PARTS, "validation"))
    assert [*expected.split(), "peak_memory_mb", "micro_batch"] == list(history[0])
    assert [row["micro_batch"] for row in history] == [settings["batch_size"]] * 2
    assert all(row["peak_memory_mb"] > 10 and row["images_per_second"] > 0 for row in history)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_a_batch_whose_loss_is_no_number_is_named_at_once_on_a_cpu(wrong):
    sums = EpochSums(5, CPU)
    sums.add(torch.tensor(6.0), torch.tensor(2))
    assert sums.means(4) == (1.5, 0.5)
    with pytest.raises(NotFinite, match="^batch 2 of 5$"):
        sums.add(torch.tensor(wrong), torch.tensor(0))


def test_on_another_device_the_same_batch_is_named_at_the_end_of_the_epoch():
    sums = EpochSums(4, CPU)
    sums.reads_each = False  # as on a GPU
    for loss in (1.0, 2.0, float("nan"), float("inf")):
        sums.add(torch.tensor(loss), torch.tensor(1))
    with pytest.raises(NotFinite, match="^batch 3 of 4$"):
        sums.means(4)


def diverges(place):
    """A training epoch whose loss is no number in batch `place` of epoch 2."""

    def train_epoch(epoch):
        sums = EpochSums(3, CPU)
        for number in range(1, 4):
            sums.add(torch.tensor(float("nan") if (epoch, number) == (1, place) else 1.0), torch.tensor(1))
        return sums.means(3)

    return train_epoch


def test_a_loss_that_is_no_number_ends_the_training_with_epoch_batch_and_learning_rate(settings):
    line = (
        r"^phase 1, epoch 2, batch 3 of 3: the loss is not a finite number \(learning rate 1\); lower the learning rate"
    )
    with pytest.raises(UserError, match=line):
        trained([(1, 0.5)] * 3, settings, train_epoch=diverges(3))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_network_that_the_last_batch_destroyed_is_not_kept(settings, loss, tmp_path):
    progress = Progress(tmp_path, "phase1", {})
    with pytest.raises(UserError, match=f"epoch 2, validation after the last batch.*after epoch 1 stays in {tmp_path}"):
        trained([(1, 0.5), (loss, 0.6), (1, 0.7)], settings, progress=progress)
    kept = torch.load(progress.path, weights_only=True)["states"]
    assert kept["network"]["weight"].item() == 1 and len(kept["outcome"]["history"]) == 1


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(settings, tmp_path):
    scores = [(1, 0.5), (1, 0.6), (1, 0.4), (1, 0.4), (1, 0.4), (1, 0.9)]
    undisturbed = trained(scores, settings, patience=3)
    progress, epochs = Progress(tmp_path, "phase1", {}), []

    def interrupted(epoch):
        epochs.append(epoch)
        if len(epochs) in (1, 3, 6):
            raise KeyboardInterrupt
        return 1.0, 0.5

    for _ in range(3):
        kept = torch.load(progress.path, weights_only=True)["states"] if progress.path.exists() else None
        left = scores[len(kept["outcome"]["history"]) if kept else 0 :]
        with pytest.raises(KeyboardInterrupt):
            trained(left, settings, epochs=6, patience=3, progress=progress, train_epoch=interrupted)
    outcome = trained(scores[3:], settings, epochs=6, patience=3, progress=progress, train_epoch=interrupted)
    assert epochs == [0, 0, 1, 1, 2, 3, 3, 4], "only the epochs that were cut off are repeated"
    assert len(outcome.history) == 5 and outcome.stopped_early
    timing = {"images_per_second", "peak_memory_mb"}
    plain = [
        [{k: v for k, v in row.items() if k not in timing and not k.endswith("seconds")} for row in o.history]
        for o in (undisturbed, outcome)
    ]
    assert plain[0] == plain[1]
    assert (outcome.best_epoch, outcome.waited) == (undisturbed.best_epoch, undisturbed.waited)
    assert outcome.best_state["weight"].item() == 2
    assert outcome.seconds >= sum(row["seconds"] for row in outcome.history), "of all pieces"
    assert trained([], settings, epochs=6, patience=3, progress=progress).history == outcome.history


@pytest.mark.parametrize("count", range(2, 70))
def test_no_batch_is_a_single_image_and_every_image_is_in_one(count):
    order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    for size in (2, 8, 32):
        parts = epoch_batches(order, size)
        assert torch.equal(torch.cat(parts), order)
        assert all(2 <= len(part) <= size + 1 for part in parts)


def test_loss_and_top1_are_means_over_the_images():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    loss, top1 = loss_and_top1(logits, torch.tensor([0, 1, 1]))
    by_hand = [torch.tensor(gap).exp().log1p().item() for gap in (-2.0, -1.0, 3.0)]
    assert loss == pytest.approx(sum(by_hand) / 3) and top1 == pytest.approx(2 / 3)
