"""Figures of trainings show their histories: both phases on one axis, what ended them, what they cost."""

import numpy as np
import pandas as pd
import pytest

from figure_reading import drawn, says
from florilegium import training_figures

NOTE = "open marker: random backbone, not transfer learning"


def history(phase, epochs):
    epoch, share = np.arange(1, epochs + 1), np.linspace(0.3, 0.5, epochs) + 0.2 * phase
    rates = {"lr_backbone": 0.0 if phase == 1 else 1e-4, "lr_head": 1e-3}
    scores = {"train_loss": 2 / epoch, "train_top1": share + 0.05, "val_loss": 3 / epoch, "val_top1": share}
    parts = {f"{part}_seconds": (i + 1) * 2.0**phase for i, part in enumerate(training_figures.PARTS)}
    speed = {"seconds": sum(parts.values()), "images_per_second": 20.0, "peak_memory_mb": 512.0 * epoch}
    return pd.DataFrame({"phase": phase, "epoch": epoch, **scores, **rates, **parts, **speed})


@pytest.mark.parametrize("length", [1, 4])
def test_learning_curves_show_both_phases_in_percent(length):
    first, second = history(1, 3), history(2, length)
    figure = training_figures.learning_curves(first, second, "a title", "IMAGENET1K_V1")
    loss, top1, gap, rate = figure.axes
    line = drawn(top1, "validation")
    assert list(line.get_xdata()) == list(range(1, 4 + length))
    np.testing.assert_allclose(line.get_ydata(), 100 * np.r_[first["val_top1"], second["val_top1"]])
    np.testing.assert_allclose(drawn(loss, "train").get_ydata(), np.r_[first["train_loss"], second["train_loss"]])
    np.testing.assert_allclose(drawn(gap, "train −\nvalidation").get_ydata(), 5)
    assert rate.get_yscale() == "log"
    assert list(drawn(rate, "backbone").get_xdata()) == list(range(4, 4 + length)), "a frozen backbone has no rate"
    assert all(list(drawn(panel, "_phase 2").get_xdata()) == [3.5, 3.5] for panel in figure.axes)
    best = [float(line.get_xdata()[0]) for line in top1.get_lines() if line.get_label() == "_best"]
    assert best == [3, 3 + second["val_top1"].idxmax() + 1]
    assert says(figure, "phase 2: whole network") and says(figure, "a title") and says(figure, "IMAGENET1K_V1")


def test_lines_join_the_epochs_that_were_validated():
    second = history(2, 6)
    second.loc[[0, 1, 3, 4], ["val_loss", "val_top1"]] = np.nan  # validated every third epoch
    loss, top1, gap, _ = training_figures.learning_curves(history(1, 3), second, "a title", "none").axes
    for panel, label in ((loss, "validation"), (top1, "validation"), (gap, "train −\nvalidation")):
        assert list(drawn(panel, label).get_xdata()) == [1, 2, 3, 6, 9]
    assert len(drawn(top1, "train").get_xdata()) == 9
    together = training_figures.learning_curves_all({"one": ("resnet18", history(1, 3), second)}).axes[0]
    assert list(drawn(together, "one").get_xdata()) == [1, 2, 3, 6, 9]


@pytest.mark.parametrize("second", [None, history(2, 3)[:0]])
def test_learning_curves_without_phase_2_have_no_phase_line(second):
    figure = training_figures.learning_curves(history(1, 3), second, "a title", "none (random)")
    assert not says(figure, "phase 2")
    assert len(drawn(figure.axes[1], "train").get_xdata()) == 3


def test_runs_of_different_length_meet_at_one_phase_line():
    curves = {"A": ("resnet18", history(1, 3), history(2, 2)), "B": ("resnet50", history(1, 5), None)}
    figure = training_figures.learning_curves_all(curves, {"A": "none (random)", "B": "IMAGENET1K_V2"}, ["A"])
    axes = figure.axes[0]
    assert list(drawn(axes, "A").get_xdata()) == [1, 2, 3, 6, 7]
    assert drawn(axes, "_phase 2").get_xdata()[0] == 5.5
    np.testing.assert_allclose(drawn(axes, "B").get_ydata(), 100 * history(1, 5)["val_top1"])
    assert drawn(axes, "A").get_markerfacecolor() == "white" != drawn(axes, "B").get_markerfacecolor()
    assert says(figure, NOTE) and says(figure, "IMAGENET1K_V2: B")


def test_of_epochs_with_equal_top1_the_one_of_lower_loss_is_ringed_as_training_kept_it():
    second = history(2, 4).assign(val_top1=[0.5, 0.6, 0.6, 0.6], val_loss=[1.0, 0.9, 0.8, 0.8])
    figure = training_figures.learning_curves(history(1, 3), second, "a title", "none")
    assert says(figure, "phase 2, epoch 3: 60.0 %")


def epochs(run, planned, best=1):
    return {"planned": planned, "run": run, "best": best, "stopped_early": run < planned}


def test_learning_curves_say_where_early_stopping_fired():
    ends = {"phase1": epochs(3, 3), "phase2": epochs(4, 9)}
    figure = training_figures.learning_curves(history(1, 3), history(2, 4), "a title", "none", epochs=ends)
    assert says(figure, "phase 1 ran all 3 epochs; phase 2 stopped early after epoch 4 of 9")
    mark = drawn(figure.axes[1], "early stop")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (7, pytest.approx(100 * history(2, 4)["val_top1"].iloc[-1]))
    assert mark.get_marker() == "8"
    whole = {"phase1": epochs(3, 3), "phase2": epochs(4, 4)}
    figure = training_figures.learning_curves(history(1, 3), history(2, 4), "a title", "none", epochs=whole)
    assert says(figure, "phase 2 ran all 4 epochs") and not says(figure, "early")


def test_without_validation_there_is_no_gap_and_no_stop():
    first, second = history(1, 3).assign(val_top1=np.nan), history(2, 3).assign(val_top1=np.nan)
    ends = {"phase1": epochs(3, 3), "phase2": epochs(3, 3)}
    figure = training_figures.learning_curves(first, second, "a title", "none", epochs=ends)
    assert says(figure, "nothing validates") and says(figure, "phase 2 ran all 3 epochs")
    assert np.isnan(drawn(figure.axes[2], "train −\nvalidation").get_ydata()).all()


def heights(axes, count):
    return np.reshape([bar.get_height() for bar in axes.patches], (-1, count))


@pytest.mark.parametrize("second", [history(2, 4), None])
def test_the_cost_of_a_training_is_its_speed_its_memory_and_the_parts_of_its_time(second):
    first, count = history(1, 3), 3 if second is None else 7
    figure = training_figures.training_cost(first, second, "a title", "none", seconds={"phase1": 300.0})
    speed, memory, shares = figure.axes
    assert speed.get_yscale() == "log"
    curves = [list(line.get_ydata()) for line in speed.get_lines() if line.get_marker() == "."]
    assert curves == ([[20.0] * 3] if second is None else [[20.0] * 3, [20.0] * 4])
    pace = drawn(speed, "phase 1 with its pass\nthrough the backbone").get_ydata()[0]
    assert pace == pytest.approx(3 * 20 * 20 / 300), "3 epochs of 20 s at 20 images/s, in 300 s with their features"
    gib = [0.5, 1, 1.5, 0.5, 1, 1.5, 2][:count]
    np.testing.assert_allclose(heights(memory, count), [gib])
    np.testing.assert_allclose(heights(shares, count), 100 * np.outer([1, 2, 3, 4, 5], np.ones(count)) / 15)
    assert says(figure, "mean epoch of phase 1: 30 s") and says(figure, "of phase 2: 60 s") == (second is not None)
    without = training_figures.training_cost(first, second, "a title", "none")
    assert not says(without, "through the backbone")


def test_bars_show_what_each_part_costs_per_training_image():
    runs = {"A": ("resnet18", None, history(2, 4)), "B": ("resnet50", None, history(2, 2)), "C": ("vgg11", None, None)}
    slow = runs["B"][2]
    slow[[column for column in slow if column.endswith("_seconds")]] *= 2
    slow["seconds"] *= 2
    slow["images_per_second"] /= 2
    figure = training_figures.time_per_part(runs, dict.fromkeys(runs, "none (random)"))
    axes = figure.axes[0]
    widths = np.reshape([bar.get_width() for bar in axes.patches], (5, 3))
    # an epoch trains for 40 s at 20 images/s: 800 images
    once = 1000 * 4 * np.array([1, 2, 3, 4, 5]) / 800
    np.testing.assert_allclose(widths, np.transpose([once, 2 * once, 0 * once]))
    starts = np.reshape([bar.get_x() for bar in axes.patches], (5, 3))
    np.testing.assert_allclose(starts[1:], np.cumsum(widths, axis=0)[:-1])
    assert says(figure, "75 ms") and says(figure, "150 ms") and says(figure, "33 %")
    assert [tick.get_text() for tick in axes.get_yticklabels()][0] == "A\nnone (random)"
