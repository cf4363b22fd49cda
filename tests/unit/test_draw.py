"""What is drawn for a view is distributed as torchvision's own transforms draw it, and repeats with its seed."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, chisquare, ks_2samp
from torchvision.transforms import ColorJitter, RandomCrop, RandomRotation

from florilegium import seeds
from florilegium.augment import draw

COUNT, SIDE, CROP = 4000, 256, 224
LESSON = {
    "horizontal_flip": 0.5,
    "rotation": 15,
    "brightness": 0.2,
    "contrast": 0.2,
    "saturation": 0.2,
    "hue": 0.1,
}
PLAIN = {"min_area": None, "max_area": 1.0, "max_stretch": 1.333, "border": "black", "trivial": 0}
# With fixed seeds the p-values are fixed; a wrong range or shape gives 1e-10 and less at this count.
UNLIKELY = 0.001


def drawn(settings=LESSON, seed=1, side=SIDE):
    return draw(COUNT, side, CROP, PLAIN | settings, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def jitter():
    """4000 draws of torchvision's ColorJitter: order, brightness, contrast, saturation, hue."""
    torch.manual_seed(2)
    reference = ColorJitter(0.2, 0.2, 0.2, 0.1)
    ranges = (reference.brightness, reference.contrast, reference.saturation, reference.hue)
    return [ColorJitter.get_params(*ranges) for _ in range(COUNT)]


@pytest.mark.parametrize(("place", "name"), list(enumerate(["brightness", "contrast", "saturation", "hue"], 1)))
def test_colours_are_drawn_as_by_colorjitter(jitter, place, name):
    ours, theirs = getattr(drawn(), name).numpy(), np.array([params[place] for params in jitter])
    assert ks_2samp(ours, theirs).pvalue > UNLIKELY
    low, high = (-0.1, 0.1) if name == "hue" else (0.8, 1.2)
    assert low <= ours.min() and ours.max() <= high


def test_every_order_of_the_colour_changes_is_as_likely_as_any_other():
    orders, counts = np.unique(drawn().order.numpy(), axis=0, return_counts=True)
    assert len(orders) == 24 and (np.sort(orders, axis=1) == np.arange(4)).all()
    assert chisquare(counts).pvalue > UNLIKELY


def test_crops_are_drawn_as_by_randomcrop():
    torch.manual_seed(3)
    picture = torch.zeros(3, SIDE, SIDE)
    theirs = np.array([RandomCrop.get_params(picture, (CROP, CROP))[:2] for _ in range(COUNT)])
    ours = drawn()
    for offsets, reference in ((ours.top, theirs[:, 0]), (ours.left, theirs[:, 1])):
        assert ks_2samp(offsets.numpy(), reference).pvalue > UNLIKELY
        assert (offsets.min(), offsets.max()) == (0, SIDE - CROP), "both ends of the range are reached"
    assert abs(np.corrcoef(ours.top, ours.left)[0, 1]) < 0.06


def test_angles_are_drawn_as_by_randomrotation():
    torch.manual_seed(4)
    theirs = np.array([RandomRotation.get_params([-15.0, 15.0]) for _ in range(COUNT)])
    ours = drawn().angle.numpy()
    assert ks_2samp(ours, theirs).pvalue > UNLIKELY
    assert -15 <= ours.min() < -14.9 and 14.9 < ours.max() <= 15


@pytest.mark.parametrize("probability", [0.5, 0.2])
def test_flips_come_at_their_rate(probability):
    flips = int(drawn(LESSON | {"horizontal_flip": probability}).flip.sum())
    assert binomtest(flips, COUNT, probability).pvalue > UNLIKELY


def test_strengths_of_zero_change_nothing():
    still = drawn(dict.fromkeys(LESSON, 0), side=CROP)
    for name, value in {"top": 0, "left": 0, "flip": 0, "angle": 0, "brightness": 1, "hue": 0}.items():
        assert (getattr(still, name) == value).all(), name


def test_a_factor_is_never_negative():
    assert drawn(LESSON | {"brightness": 1}).brightness.min() >= 0


def same(first, second):
    assert first.warp is None and second.warp is None
    names = [field.name for field in fields(first) if field.name not in ("warp", "border")]
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in names)


def test_a_seed_draws_the_same_and_another_seed_draws_differently():
    assert same(drawn(seed=5), drawn(seed=5))
    assert not same(drawn(seed=5), drawn(seed=6))


def test_drawing_leaves_torchs_own_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    drawn()
    assert torch.equal(torch.rand(3), expected)


def test_seeds_of_neighbouring_runs_phases_epochs_and_purposes_all_differ():
    found = {
        seeds.derived_seed(seed, phase, epoch, purpose)
        for seed in (0, 1, 42)
        for phase in (1, 2)
        for epoch in range(30)
        for purpose in range(3)
    }
    assert len(found) == 3 * 2 * 30 * 3
    assert all(0 <= seed < 2**63 for seed in found)


def test_an_epochs_order_is_a_permutation_that_depends_on_seed_phase_and_epoch_only():
    order = seeds.epoch_order(100, 42, phase=2, epoch=3)
    assert sorted(order.tolist()) == list(range(100))
    seeds.epoch_order(100, 1, phase=1, epoch=0)  # what ran before must not matter
    assert torch.equal(order, seeds.epoch_order(100, 42, phase=2, epoch=3))
    for other in ((41, 2, 3), (42, 1, 3), (42, 2, 4)):
        assert not torch.equal(order, seeds.epoch_order(100, *other))


def test_an_epoch_also_fixes_its_dropout():
    masks = []
    for _ in range(2):
        seeds.epoch_order(10, 42, phase=2, epoch=3)
        masks.append(torch.nn.functional.dropout(torch.ones(100)))
        torch.rand(7)
    assert torch.equal(*masks)
