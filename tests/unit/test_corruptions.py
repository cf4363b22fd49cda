"""Damaged photographs are what their names say, the same for every network, and worse from strength to strength."""

import math

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as per_image

from florilegium.corruptions import CORRUPTIONS, CorruptedImages, corrupt
from florilegium.devices import DeviceImages
from florilegium.pixels import Pixels
from robustness import accuracy

COUNT, SIDE = 3, 100
KINDS = pytest.mark.parametrize("name", CORRUPTIONS)
STRENGTHS = pytest.mark.parametrize("strength", [1, 2, 3])
EACH = torch.arange(COUNT)


@pytest.fixture(scope="module")
def photographs():
    """Soft shapes, a little of which is fine grain: whatever is done to them shows."""
    chance = torch.Generator().manual_seed(0)
    coarse = torch.rand(COUNT, 3, 5, 5, generator=chance)
    soft = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True).clamp(0, 1)
    grain = torch.rand(COUNT, 3, SIDE, SIDE, generator=chance)
    return (230 * soft + 25 * grain).permute(0, 2, 3, 1).to(torch.uint8)


def flat(value, side=SIDE):
    return torch.full((COUNT, side, side, 3), value, dtype=torch.uint8)


def change(images, name, strength):
    """Mean absolute change of each image in grey levels."""
    damaged = corrupt(images, name, strength, torch.arange(len(images)))
    return (damaged.float() - images.float()).abs().mean(dim=(1, 2, 3))


@KINDS
def test_damage_grows_with_the_strength(photographs, name):
    weak, middle, strong = (change(photographs, name, strength) for strength in (1, 2, 3))
    assert (weak > 0.5).all() and (middle > 1.1 * weak).all() and (strong > 1.1 * middle).all()


@KINDS
def test_damaged_pixels_keep_their_shape_and_type_and_the_originals_their_values(photographs, name):
    before = photographs.clone()
    once, again = (corrupt(photographs, name, 2, EACH) for _ in range(2))
    assert once.shape == photographs.shape and once.dtype == torch.uint8
    assert torch.equal(once, again), "the same digits each time"
    assert torch.equal(photographs, before)


def test_the_noise_of_an_image_depends_on_its_position_and_not_on_its_batch(photographs):
    together = corrupt(photographs, "noise", 3, EACH)
    for i in range(COUNT):
        assert torch.equal(corrupt(photographs[i : i + 1], "noise", 3, EACH[i : i + 1])[0], together[i])
    torch.rand(7)  # nor on what was drawn before
    assert torch.equal(corrupt(photographs.flip(0), "noise", 3, EACH.flip(0)).flip(0), together)
    grey = corrupt(flat(128), "noise", 1, EACH)
    assert not torch.equal(grey[0], grey[1])


@STRENGTHS
def test_noise_has_the_deviation_of_its_level_and_does_not_wrap_around(strength):
    sigma = CORRUPTIONS["noise"].values[strength - 1] / 100 * 255
    off = corrupt(flat(128), "noise", strength, EACH).float() - 128
    # Of the strongest noise one value in eighty is cut off at black or white.
    assert off.std().item() == pytest.approx(sigma, rel=0.03) and off.mean().abs() < 0.03 * sigma
    for level in (0, 255):
        stayed = (corrupt(flat(level), "noise", strength, EACH) == level).float().mean().item()
        assert stayed == pytest.approx(0.5, abs=0.05), "half of the noise leads out of the range"


@STRENGTHS
@pytest.mark.parametrize("side", [SIDE, 41])
def test_blur_is_torchvisions_with_its_square_kernel(photographs, strength, side):
    images = photographs.permute(0, 3, 1, 2).float()
    images = torch.nn.functional.interpolate(images, size=(side, side)).to(torch.uint8)
    sigma = CORRUPTIONS["blur"].values[strength - 1] / 100 * side
    width = 2 * math.ceil(3 * sigma) + 1
    theirs = per_image.gaussian_blur(images.float(), [width, width], [sigma, sigma]).permute(0, 2, 3, 1)
    ours = corrupt(images.permute(0, 2, 3, 1), "blur", strength, EACH).float()
    assert (ours - theirs).abs().max() <= 0.51, "grey levels; ours are whole numbers"


def test_a_network_that_sees_larger_pictures_sees_the_same_blur():
    edges = []
    for side in (100, 200):
        edge = flat(0, side)
        edge[:, :, side // 2 :] = 255
        profile = corrupt(edge, "blur", 3, EACH)[0, 0, :, 0].float()
        edges.append(profile.view(100, -1).mean(dim=1))
    assert 100 < edges[0][50] < 200, "the edge is soft"
    assert (edges[0] - edges[1]).abs().max() < 5


@STRENGTHS
def test_crop_enlarges_the_middle(strength):
    kept = round(SIDE * CORRUPTIONS["crop"].values[strength - 1] / 100)
    first = (SIDE - kept) // 2
    images = flat(0)
    images[:, first : first + kept, first : first + kept] = 255
    assert torch.equal(corrupt(images, "crop", strength, EACH), flat(255))
    images[:, first, first:] = images[:, first:, first] = 0
    damaged = corrupt(images, "crop", strength, EACH)
    assert (damaged[:, 0] == 0).all() and (damaged[:, :, 0] == 0).all(), "and no more of it"


@STRENGTHS
def test_rotation_turns_about_the_middle_and_leaves_black_corners(strength):
    damaged = corrupt(flat(255), "rotation", strength, EACH)
    assert (damaged[:, SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4] == 255).all()
    assert all((damaged[:, row, column] == 0).all() for row in (0, -1) for column in (0, -1))


@STRENGTHS
def test_darkness_leaves_the_share_of_light_that_its_level_says(photographs, strength):
    share = CORRUPTIONS["brightness"].values[strength - 1] / 100
    damaged = corrupt(photographs, "brightness", strength, EACH).float()
    assert (damaged - share * photographs.float()).abs().max() <= 1


@KINDS
def test_the_smallest_pictures_can_be_damaged(name):
    for side in (1, 2):
        assert corrupt(flat(200, side), name, 3, EACH).shape == (COUNT, side, side, 3)


def test_a_damaged_split_serves_each_image_alike_in_every_batch(mats):
    images = DeviceImages(Pixels(mats[0], np.arange(8, 24)), torch.device("cpu"))
    damaged = CorruptedImages(images, "noise", 2)
    assert len(damaged) == 16 and damaged.device == images.device
    everyone = torch.arange(16)
    all_at_once = corrupt(images.batch(everyone), "noise", 2, everyone)
    some = torch.tensor([11, 3])
    assert torch.equal(damaged.batch(some), all_at_once[some])


def test_accuracy_has_wilsons_interval_and_the_mean_over_the_classes():
    labels = np.array([0] * 6 + [2] * 4)  # of class 1 there is no image
    named = np.array([0] * 6 + [2, 2, 1, 0])
    found = accuracy(np.eye(3)[named], labels)
    assert found["images"] == 10 and found["top1"] == 0.8 and found["mean_per_class"] == (1 + 0.5) / 2
    z, share, n = 1.959964, 0.8, 10
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert (found["top1_low"], found["top1_high"]) == pytest.approx((middle - half, middle + half), abs=1e-6)
