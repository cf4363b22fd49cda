"""Any photograph becomes upright RGB with the colours that a person sees; draft decoding does not show."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from florilegium import images

RED, GREEN, BLUE = (220, 40, 30), (30, 180, 60), (40, 60, 210)


def patches(mode="RGB"):
    """48 x 32 pixels: the left third red, then green, then blue."""
    picture = Image.new("RGB", (48, 32))
    for place, colour in enumerate((RED, GREEN, BLUE)):
        picture.paste(colour, (16 * place, 0, 16 * place + 16, 32))
    return picture.convert(mode)


def read(picture, path, **options):
    picture.save(path, **options)
    found = images.open_rgb(path)
    assert found.mode == "RGB"
    return np.asarray(found).astype(int)


def test_a_greyscale_jpeg_has_three_equal_channels(tmp_path):
    found = read(patches("L"), tmp_path / "grey.jpg", quality=95)
    assert (found[..., 0] == found[..., 1]).all() and (found[..., 1] == found[..., 2]).all()
    expected = np.asarray(patches("L")).astype(int)
    assert np.abs(found[..., 0] - expected).mean() < 2


def test_a_cmyk_jpeg_has_the_colours_of_its_rgb_original(tmp_path):
    found = read(patches("CMYK"), tmp_path / "print.jpg", quality=95)
    for place, colour in enumerate((RED, GREEN, BLUE)):
        middle = found[8:24, 16 * place + 4 : 16 * place + 12].mean(axis=(0, 1))
        assert np.abs(middle - colour).max() < 8, "an inverted CMYK would be off by 100 and more"


def test_a_palette_png_has_its_palettes_colours(tmp_path):
    found = read(patches().quantize(8), tmp_path / "palette.png")
    assert np.abs(found - np.asarray(patches())).max() <= 4


@pytest.mark.parametrize("name", ["palette.png", "palette.gif"])
def test_a_transparent_palette_entry_is_white(tmp_path, name):
    palette = patches().quantize(8)
    found = read(palette, tmp_path / name, transparency=palette.getpixel((2, 2)))
    assert (found[16, 4] == 255).all(), "the red patch is transparent"
    assert np.abs(found[16, 40] - BLUE).max() <= 4


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_half_transparent_pictures_lie_on_white(tmp_path, mode):
    picture = Image.new("RGB", (20, 20), (100, 100, 100)).convert(mode)
    picture.putalpha(128)
    found = read(picture, tmp_path / "half.png")
    assert np.abs(found - (100 * 128 + 255 * 127) / 255).max() <= 1


@pytest.mark.parametrize(("mode", "colour"), [("RGB", RED), ("L", 77)])
def test_a_png_with_one_transparent_colour_shows_white_there(tmp_path, mode, colour):
    picture = Image.new(mode, (20, 20), colour)
    picture.paste(0, (10, 0, 20, 20))
    found = read(picture, tmp_path / "key.png", transparency=colour)
    assert (found[5, 5] == 255).all() and (found[5, 15] == 0).all()


@pytest.mark.parametrize("brightest", [65535, 40000, 200])
def test_sixteen_bits_are_scaled_to_eight_whatever_the_picture_holds(tmp_path, brightest):
    ramp = np.linspace(0, brightest, 64 * 64).reshape(64, 64).astype(np.uint16)
    found = read(Image.fromarray(ramp), tmp_path / "deep.png")
    assert np.abs(found[..., 0] - ramp / 257).max() <= 0.51


def test_every_exif_orientation_comes_out_upright(tmp_path):
    upright = np.asarray(patches()).astype(int)
    undo = {  # how the stored pixels differ from what a person sees
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    for orientation, turned in undo.items():
        stored = np.ascontiguousarray(turned(upright)).astype(np.uint8)
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.jpg"
        found = read(Image.fromarray(stored), path, exif=exif, quality=95, subsampling=0)
        assert found.shape == upright.shape, orientation
        assert np.abs(found - upright).mean() < 4, orientation
        small = images.square_pixels(path, 9, "squash").astype(int)  # by way of draft decoding
        assert np.abs(small[4, [1, 4, 7]] - [RED, GREEN, BLUE]).max() < 12, orientation


def test_an_embedded_colour_profile_does_not_stop_decoding(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = read(patches(), tmp_path / "profile.jpg", quality=95, icc_profile=profile)
    assert np.abs(found[16, 8] - RED).max() < 8


def large_photograph(width=2000, height=1500):
    """Smooth light, hard edges, fine stripes and noise, as a JPEG's bytes."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    smooth = np.stack([160 * x + 40, 150 * y + 50, 120 + 80 * np.sin(5 * x + 3 * y)], axis=2)
    petals = 60.0 * (np.sin(14 * np.arctan2(y - 0.5, x - 0.5)) > 0) * (np.hypot(x - 0.5, y - 0.5) < 0.35)
    stripes = 18 * np.sin(2 * np.pi * width / 11 * (x + 0.6 * y)) * (x > 0.6)
    noise = np.random.default_rng(3).normal(0, 9, smooth.shape)
    picture = np.clip(smooth + petals[..., None] + stripes[..., None] + noise, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=92)
    return stream.getvalue()


@pytest.fixture(scope="module")
def photograph_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    path.write_bytes(large_photograph())
    return path


@pytest.mark.parametrize("side", [64, 224, 256])
def test_draft_decoding_differs_from_full_decoding_by_no_more_than_resampling_noise(photograph_file, side):
    full = Image.open(photograph_file).convert("RGB")
    plain = np.asarray(full.resize((side, side), Image.Resampling.BILINEAR)).astype(float)
    other_filter = np.asarray(full.resize((side, side), Image.Resampling.BICUBIC)).astype(float)
    difference = np.abs(images.square_pixels(photograph_file, side, "squash") - plain).mean()
    # A JPEG decoded at 1/2 … 1/8 is box-filtered by its own transform; what is left to resample is at least twice
    # as large as the result, so the difference stays below that between two filters everybody uses.
    assert difference < np.abs(other_filter - plain).mean()
    assert difference < 1.5, "grey levels of 255; a JPEG of quality 90 is off by more"


def test_draft_decoding_keeps_at_least_twice_the_size_asked_for(photograph_file):
    assert images.open_rgb(photograph_file).size == (2000, 1500)
    for side in (64, 224, 256, 700):
        found = images.open_rgb(photograph_file, at_least=side)
        assert min(found.size) >= min(2 * side, 1500)
    assert images.open_rgb(photograph_file, at_least=64).size == (250, 188), "and does spare the work"


def test_small_pictures_are_enlarged(tmp_path):
    patches().save(tmp_path / "small.png")
    assert images.square_pixels(tmp_path / "small.png", 64, "squash").shape == (64, 64, 3)


def test_hidden_files_and_other_suffixes_are_no_photographs(tmp_path):
    names = ["a.JPG", "b.jpeg", "c d.PnG", ".hidden.jpg", "notes.txt", "jpg", "._mac.jpg"]
    assert [name for name in names if images.is_image(tmp_path / name)] == names[:3]
