"""Scaled windows and TrivialAugment views are what torchvision makes of the same numbers, one image at a time."""

import math

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as per_image

from florilegium.augment import MEAN, STD, draw, train_view
from florilegium.warps import WIDEST

COUNT, SIDE, CROP = 32, 80, 48
STILL = {
    **dict.fromkeys(("horizontal_flip", "rotation", "brightness", "contrast", "saturation", "hue"), 0),
    **{"min_area": None, "max_area": 1.0, "max_stretch": 1.333, "border": "black", "trivial": 0},
}
MEAN_OF, STD_OF = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)


def drawn(count=COUNT, seed=1, **changes):
    return draw(count, SIDE, CROP, STILL | changes, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def images():
    """(n, side, side, 3) uint8 of soft colours, away from black and white so that nothing is clipped."""
    coarse = torch.rand(COUNT, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True).clamp(0, 1)
    return (40 + 175 * fine).permute(0, 2, 3, 1).round().to(torch.uint8)


def colours(images, draws):
    return train_view(images, CROP, draws) * STD_OF + MEAN_OF


def window(warp):
    """First row, first column, height and width in pixels of the window that an unturned warp shows."""
    size = SIDE * torch.stack((warp[:, 1, 1], warp[:, 0, 0].abs()), 1)
    centre = SIDE * (warp[:, [1, 0], 2] + 1) / 2
    return torch.cat((centre - size / 2, size), 1)


@pytest.mark.parametrize("flip", [0, 1])
def test_a_window_is_cut_out_flipped_and_scaled(images, flip):
    draws = drawn(min_area=0.35, horizontal_flip=flip)
    ours = colours(images, draws)
    for image, view, (top, left, height, width) in zip(images, ours, window(draws.warp), strict=True):
        # Whole pixels for torchvision: the colours are soft, so half a pixel changes little.
        cut = [round(float(number)) for number in (top, left, height, width)]
        expected = per_image.resized_crop(image.permute(2, 0, 1).float() / 255, *cut, [CROP, CROP], antialias=False)
        expected = per_image.hflip(expected) if flip else expected
        assert (view - expected).abs().mean() < 0.01


def test_windows_have_the_areas_and_shapes_of_random_resized_crop():
    top, left, height, width = window(drawn(20000, min_area=0.4, max_stretch=1.5).warp).double().T
    assert top.min() > -1e-3 and left.min() > -1e-3
    assert (top + height).max() < SIDE + 1e-3 and (left + width).max() < SIDE + 1e-3
    inside = (height < SIDE - 1e-3) & (width < SIDE - 1e-3)  # the others were cut off at the border
    area, stretch = (height * width / SIDE**2)[inside], (width / height)[inside]
    assert area.min() > 0.4 - 1e-4 and area.max() <= 1 and stretch.max() < 1.5 + 1e-3 and stretch.min() > 1 / 1.5 - 1e-3
    assert abs(stretch.log().mean()) < 0.01, "as often wide as high"
    small = area[area < 0.6]  # too small to be cut off: evenly drawn
    assert small.mean() == pytest.approx(0.5, abs=0.005)


def test_windows_larger_than_the_picture_hold_all_of_it_and_are_not_too_long():
    first, size = window(drawn(20000, min_area=0.4, max_area=1.6, max_stretch=1.5).warp).double().split(2, dim=1)
    longer = size > SIDE
    assert 0.3 < longer.double().mean() < 0.6 and size.max() == pytest.approx(SIDE * 1.6**0.5, abs=1e-3)
    assert (first[longer] < 1e-3).all() and ((first + size)[longer] > SIDE - 1e-3).all()
    assert (first[~longer] > -1e-3).all() and ((first + size)[~longer] < SIDE + 1e-3).all()
    area = size.prod(dim=1)[(size < SIDE * 1.6**0.5 - 1e-3).all(dim=1)] / SIDE**2
    assert area.min() > 0.4 - 1e-4 and area.max() > 1.5


def test_without_scaling_a_warp_shows_the_drawn_crop(images):
    turned = drawn(border="reflection", horizontal_flip=0.5)
    cropped = drawn(horizontal_flip=0.5)
    assert turned.warp is not None and cropped.warp is None
    assert torch.allclose(train_view(images, CROP, turned), train_view(images, CROP, cropped), atol=1e-3)


def test_nothing_further_is_drawn_for_plain_crops():
    generators = [torch.Generator().manual_seed(5) for _ in range(2)]
    draw(COUNT, SIDE, CROP, STILL, generators[0])
    draw(COUNT, SIDE, CROP, STILL | {"trivial": 0.5}, generators[1])
    assert not torch.equal(generators[0].get_state(), generators[1].get_state())
    assert drawn().warp is None and drawn().border == "zeros"


@pytest.mark.parametrize(("border", "dark"), [("black", True), ("reflection", False)])
def test_the_border_shows_black_or_the_reflection(images, border, dark):
    turned = drawn(rotation=45, min_area=1.0, max_stretch=1, border=border)
    assert bool((colours(images, turned) < 0.05).any()) is dark


@pytest.mark.parametrize("name", WIDEST)
def test_trivial_changes_one_thing_of_a_view_within_its_range(name):
    draws = drawn(4000, trivial=0.5)
    linear = draws.warp[:, :, :2] * SIDE / CROP
    shift = draws.warp[:, :, 2] - (2 * torch.stack((draws.left, draws.top), 1) + CROP) / SIDE + 1
    found = {
        "shear_x": torch.where(draws.angle == 0, linear[:, 0, 1], 0),
        "shear_y": torch.where(draws.angle == 0, linear[:, 1, 0], 0),
        "shift_x": shift[:, 0] * SIDE / CROP,
        "shift_y": shift[:, 1] * SIDE / CROP,
        "rotation": draws.angle,
        **{key: getattr(draws, key) - 1 for key in ("brightness", "contrast", "saturation")},
        "hue": draws.hue,
    }
    changed = torch.stack([amount.abs() > 1e-4 for amount in found.values()])
    assert changed.sum(0).max() == 1, "one change a view, at most"
    share = changed.float().mean(1)
    assert torch.allclose(share, torch.full_like(share, 1 / (len(WIDEST) + 1)), atol=0.02)
    amount = found[name]
    assert amount.abs().max() == pytest.approx(0.5 * WIDEST[name], rel=0.03)
    assert abs(amount[amount.abs() > 1e-4].mean()) < 0.06 * WIDEST[name], "to either side"


@pytest.mark.parametrize("change", ["rotation", "shear_x", "shear_y", "shift_x", "shift_y"])
def test_trivial_geometry_is_torchvisions(images, change, monkeypatch):
    monkeypatch.setattr(
        "florilegium.warps.WIDEST", {change: WIDEST[change], **dict.fromkeys(set(WIDEST) - {change}, 0.0)}
    )
    draws = drawn(trivial=0.2, min_area=1.0, max_stretch=1)
    scaled = images.permute(0, 3, 1, 2).float() / 255
    plain = torch.nn.functional.interpolate(scaled, size=(CROP, CROP), mode="bilinear")
    for view, image, warp, angle in zip(colours(images, draws), plain, draws.warp, draws.angle, strict=True):
        # torchvision's shears are degrees, its shifts pixels, both of the picture against the view.
        shear = [math.degrees(math.atan(float(warp[place]))) for place in ((0, 1), (1, 0))]
        shift = [-float(warp[place, 2]) * CROP / 2 for place in (0, 1)]
        if change == "rotation":
            expected = per_image.rotate(image, float(angle), InterpolationMode.BILINEAR)
        else:
            shear = [degrees if change.startswith("shear") else 0.0 for degrees in shear]
            moved = [round(pixels) for pixels in shift]  # torchvision shifts by whole pixels
            expected = per_image.affine(image, 0.0, moved, 1.0, shear, InterpolationMode.BILINEAR)
            assert math.hypot(*shear) <= math.degrees(math.atan(0.2 * 0.99)) + 1e-3
        inside = slice(CROP // 4, -CROP // 4)
        assert (view - expected)[:, inside, inside].abs().mean() < 0.012
