"""A batched view is what torchvision's per-image transforms make of the same picture with the same numbers."""

import math

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as per_image
from torchvision.transforms.v2 import functional as v2

from florilegium.augment import LUMA, MEAN, STD, Draw, draw, evaluation_view, train_view

COUNT, SIDE, CROP = 24, 80, 64
LESSON = {"horizontal_flip": 0.5, "rotation": 15, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.0}
PLAIN = {"min_area": None, "max_area": 1.0, "max_stretch": 1.333, "border": "black", "trivial": 0}
MEAN_OF, STD_OF = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)


def smooth_images(low=40.0, high=215.0):
    """(n, side, side, 3) uint8 of soft colours, away from black and white so that nothing is clipped."""
    coarse = torch.rand(COUNT, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True).clamp(0, 1)
    return (low + (high - low) * fine).permute(0, 2, 3, 1).round().to(torch.uint8)


def drawn(**changes):
    settings = LESSON | PLAIN | changes
    return draw(COUNT, SIDE, CROP, settings, torch.Generator().manual_seed(1))


def plain(views):
    """Colours 0 … 1 of normalised views."""
    return views * STD_OF + MEAN_OF


def one_by_one(images, draws, hue=None):
    """The views by torchvision's functional transforms, one image at a time, in the drawn order."""
    views = []
    for i, image in enumerate(images.permute(0, 3, 1, 2).float() / 255):
        view = per_image.crop(image, int(draws.top[i]), int(draws.left[i]), CROP, CROP)
        view = per_image.hflip(view) if draws.flip[i] else view
        view = per_image.rotate(view, float(draws.angle[i]), interpolation=InterpolationMode.BILINEAR)
        for change in draws.order[i].tolist():
            if change == 0:
                view = per_image.adjust_brightness(view, float(draws.brightness[i]))
            elif change == 1:
                view = per_image.adjust_contrast(view, float(draws.contrast[i]))
            elif change == 2:
                view = per_image.adjust_saturation(view, float(draws.saturation[i]))
            elif hue:
                view = hue(view, float(draws.hue[i]))
        views.append(view)
    return torch.stack(views)


def difference(images, draws):
    """Mean absolute difference of each view, in shares of the full range."""
    ours = plain(train_view(images, CROP, draws))
    return (ours - one_by_one(images, draws)).abs().mean(dim=(1, 2, 3))


@pytest.mark.parametrize("view", ["all", "crop", "flip", "rotation", "brightness", "contrast", "saturation"])
def test_a_view_is_what_torchvision_makes_of_it_image_by_image(view):
    kept = {} if view == "all" else dict.fromkeys(LESSON, 0)
    if view == "flip":
        kept["horizontal_flip"] = 1
    elif view in LESSON:
        kept[view] = LESSON[view]
    draws = drawn(**kept)
    # Colours are clipped once, at the end, instead of after each change: half a percent where corners are black.
    assert difference(smooth_images(), draws).max() < 0.005


@pytest.mark.parametrize("angle", [-90.0, -15.0, 7.5, 90.0])
@pytest.mark.parametrize("flip", [False, True])
def test_the_angle_turns_the_way_of_torchvision_after_the_flip(angle, flip):
    draws = drawn(brightness=0, contrast=0, saturation=0)
    draws = Draw(**{**vars(draws), "angle": torch.full((COUNT,), angle), "flip": torch.full((COUNT,), flip)})
    assert difference(smooth_images(), draws).max() < 0.002


def test_what_rotates_into_view_from_outside_is_black():
    draws = drawn(brightness=0, contrast=0, saturation=0)
    draws = Draw(**{**vars(draws), "angle": torch.full((COUNT,), 15.0)})
    views = plain(train_view(smooth_images(), CROP, draws))
    assert views[:, :, 0, 0].abs().max() < 1e-5 and views[:, :, CROP // 2, CROP // 2].min() > 0.1


def test_without_augmentation_a_view_is_the_normalised_crop_exactly():
    images = smooth_images()
    still = drawn(**dict.fromkeys(LESSON, 0))
    views = train_view(images, CROP, still)
    for i in range(COUNT):
        top, left = int(still.top[i]), int(still.left[i])
        window = images[i, top : top + CROP, left : left + CROP].permute(2, 0, 1).float() / 255
        assert torch.allclose(views[i], (window - MEAN_OF) / STD_OF, atol=1e-4)
    assert views.dtype == torch.float32 and views.shape == (COUNT, 3, CROP, CROP)


def test_colours_stay_between_black_and_white():
    strong = drawn(brightness=1, contrast=1, saturation=1, hue=0.5)
    views = plain(train_view(smooth_images(0, 255), CROP, strong))
    assert views.min() > -1e-5 and views.max() < 1 + 1e-5


def hue_only(turn):
    return Draw(**{**vars(drawn(**dict.fromkeys(LESSON, 0))), "hue": torch.full((COUNT,), turn)})


@pytest.mark.parametrize("turn", [-0.1, -0.03, 0.05, 0.1])
def test_turning_the_hue_leaves_the_luma_and_the_greys(turn):
    images = smooth_images(110, 150)  # soft enough to be turned without clipping
    before, after = (plain(train_view(images, CROP, hue_only(h))) for h in (0.0, turn))
    luma = torch.tensor(LUMA).view(3, 1, 1)
    # The YIQ matrix has four digits.
    assert ((before - after) * luma).sum(dim=1).abs().max() < 1e-3
    grey = smooth_images()[..., :1].expand(-1, -1, -1, 3)
    assert (
        plain(train_view(grey, CROP, hue_only(turn))) - plain(train_view(grey, CROP, hue_only(0.0)))
    ).abs().max() < 1e-3


def hue_of(colours):
    """Hue (share of the colour circle) of (n, 3) colours."""
    red, green, blue = colours.unbind(1)
    return torch.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue) / (2 * math.pi)


@pytest.mark.parametrize("turn", [-0.03, 0.02, 0.05])
def test_a_small_turn_goes_as_far_and_in_the_same_direction_as_torchvisions(turn):
    # Twelve saturated colours around the circle, light enough that neither way clips them.
    circle = torch.arange(COUNT) / COUNT
    angles = 2 * math.pi * (circle[:, None] - torch.tensor([0.0, 1 / 3, 2 / 3]))
    colours = 0.5 + 0.22 * angles.cos()
    images = (255 * colours).round().to(torch.uint8)[:, None, None, :].expand(-1, SIDE, SIDE, -1)
    ours = plain(train_view(images, CROP, hue_only(turn)))[:, :, 9, 9]
    theirs = per_image.adjust_hue(images.permute(0, 3, 1, 2).float() / 255, turn)[:, :, 9, 9]
    start = hue_of(images[:, 9, 9].float())
    moved = [(hue_of(after) - start + 0.5) % 1 - 0.5 for after in (ours, theirs)]
    assert (moved[0].sign() == moved[1].sign()).all()
    # The YIQ plane is stretched against the HSV circle: single colours move up to twice as far or half as far,
    # on average around the circle both move by the same angle.
    assert moved[0].mean().item() == pytest.approx(turn, rel=0.1)
    assert moved[1].mean().item() == pytest.approx(turn, rel=0.1)
    ratio = (moved[0] / turn).abs()
    assert ratio.min() > 0.4 and ratio.max() < 2


@pytest.mark.parametrize("crop", [64, 40, 80])
def test_the_evaluation_view_is_torchvisions_antialiased_resize(crop):
    noisy = torch.randint(0, 256, (4, SIDE, SIDE, 3), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    images = torch.cat([smooth_images()[:4], noisy])
    ours = plain(evaluation_view(images, crop)) * 255
    theirs = v2.resize(images.permute(0, 3, 1, 2), [crop, crop], antialias=True).float()
    assert ours.shape == (8, 3, crop, crop) and ours.dtype == torch.float32
    assert (ours - theirs).abs().max() <= 1.001, "grey levels"


def test_views_leave_the_pixels_they_come_from_alone():
    images = smooth_images()
    before = images.clone()
    train_view(images, CROP, drawn()), evaluation_view(images, CROP), evaluation_view(images, SIDE)
    assert torch.equal(images, before)
