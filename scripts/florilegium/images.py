"""Photographs as files: what counts as one, and how it becomes RGB pixels."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
MODES = {  # Pillow's names as people say them
    **{"1": "black and white", "L": "greyscale", "LA": "greyscale with transparency", "P": "palette"},
    **{"PA": "palette with transparency", "RGBA": "transparency", "I": "16-bit greyscale", "F": "float greyscale"},
    **dict.fromkeys(("I;16", "I;16B", "I;16L", "I;16N"), "16-bit greyscale"),
}
SMALLEST = 8  # pixels; a shorter side tells a network nothing
MIDDLE_SHARES = {"center": 1, "imagenet": 7 / 8}  # of the shorter side, that a `resize_mode` keeps as the middle square


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is a photograph (hidden files are not)."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def open_rgb(path: str | Path | BinaryIO, at_least: int | None = None) -> Image.Image:
    """Decode a photograph into an upright RGB image.

    Greyscale, CMYK, palette and 16-bit pictures are converted, transparency lies on white, and the EXIF orientation
    is applied.

    Args:
        path: the file, or its content as a stream.
        at_least: when both sides are at least twice this many pixels, a JPEG may be decoded at a reduced size that is
            still at least twice as large, which costs far less and leaves the final resampling its choice.

    Raises:
        OSError: the file is missing, truncated or no picture (Pillow's own exceptions, all of them OSError).
    """
    with Image.open(path) as image:
        if at_least:
            image.draft(None, (2 * at_least, 2 * at_least))
        return upright_rgb(image)


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened picture as upright RGB; of several frames the first.

    Raises:
        OSError: the file is truncated or damaged.
    """
    image.load()
    return to_rgb(ImageOps.exif_transpose(image))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture as a person sees it."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return image.size[::-1] if turned else image.size


def conversions(image: Image.Image) -> str:
    """What has to be changed to make an opened picture upright RGB: `CMYK, EXIF rotation`; usually nothing."""
    found = [MODES.get(image.mode, image.mode)] if image.mode != "RGB" else []
    if "transparency" in image.info and image.mode != "P":
        found.append("transparent colour")
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        found.append("EXIF rotation")
    if getattr(image, "n_frames", 1) > 1:
        found.append("first of several frames")
    return ", ".join(found)


def to_rgb(image: Image.Image) -> Image.Image:
    """`image` as mode RGB: 16-bit and float greys are scaled to 8 bits, transparency is laid on white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, dtype=np.float64)
        # Pillow's own conversion of 16-bit greys clips at 255 instead of scaling. Mode I alone may hold either depth.
        grey = grey / 257.0 if image.mode.startswith("I;16") or grey.max() > 255 else grey
        return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


def to_square(image: Image.Image, side: int, mode: str) -> Image.Image:
    """`image` at side x side pixels, antialiased bilinear, as the recipe's `resize_mode` says.

    `squash` ignores the shape, as the course does. `center` is the middle square, whose sides are the shorter side of
    the picture: one resampling, with borders between two pixels where the difference of the sides is odd. `imagenet`
    is the middle square of 7/8 of the shorter side, as torchvision evaluates its weights (resized to 256, cut to 224).
    """
    if mode == "squash":
        return image.resize((side, side), Image.Resampling.BILINEAR)
    return ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR, bleed=(1 - MIDDLE_SHARES[mode]) / 2)


def square_pixels(path: str | Path | BinaryIO, side: int, mode: str) -> np.ndarray:
    """A photograph as (side, side, 3) uint8; `mode` as in `to_square`."""
    return np.asarray(to_square(open_rgb(path, at_least=side), side, mode))
