"""The garden: drawn flowers of invented species, a labelled dataset that needs no download.

Neighbours in SPECIES share a colour and differ in petals, shape or markings: a mean colour is not enough.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

SPLITS = ("train", "val", "test")  # the position is part of each picture's seed: append only
SMALLEST = 16  # pixels; below this the petals of a flower cannot be counted
# Exponents a, b of the half-width t^a (1-t)^b from base to tip; width (1: neighbours touch); notch.
SHAPES = {
    "pointed": (0.75, 0.95, 1.10, 0.0),
    "round": (0.95, 0.36, 1.08, 0.0),
    "notched": (0.70, 0.22, 1.10, 0.09),
    "heart": (0.90, 0.30, 1.12, 0.24),
    "narrow": (0.35, 0.40, 0.85, 0.0),
    "spoon": (1.90, 0.40, 1.05, 0.0),
}
BACKDROPS = (  # top, bottom and grass of a meadow, a hedge, bare earth, the sky at noon and at dusk
    ((125, 164, 83), (53, 96, 47), (165, 196, 106)),
    ((47, 81, 56), (21, 42, 30), (76, 122, 72)),
    ((138, 115, 86), (75, 58, 42), (111, 143, 74)),
    ((181, 210, 232), (134, 169, 109), (109, 154, 82)),
    ((119, 128, 159), (61, 79, 85), (92, 127, 99)),
)


@dataclass(frozen=True)
class Species:
    """An invented flower: `shape` is a key of SHAPES, colours are RGB, `disc` a radius in petal lengths."""

    name: str
    petals: int
    shape: str
    colour: tuple[int, int, int]
    disc: float
    disc_colour: tuple[int, int, int]
    stamens: int = 0
    marking: str = "none"  # none, eye, ring, stripes, spots or edge
    mark_colour: tuple[int, int, int] = (0, 0, 0)
    rows: int = 1


SPECIES = (
    Species("amber wheelcup", 5, "round", (244, 186, 5), 0.16, (201, 138, 6), 12),
    Species("honey rayling", 16, "narrow", (242, 178, 8), 0.34, (112, 68, 26)),
    Species("rosy heartwing", 5, "heart", (236, 124, 172), 0.11, (244, 211, 94), 0, "eye", (142, 18, 71)),
    Species("dawn silkcup", 5, "heart", (238, 136, 178), 0.11, (244, 211, 94), 0, "stripes", (176, 30, 98)),
    Species("violetter Blütenstern", 9, "pointed", (108, 64, 182), 0.17, (241, 194, 50)),
    Species("evening bellstar", 5, "pointed", (108, 64, 182), 0.15, (241, 194, 50)),
    Species("ember papercup", 4, "round", (207, 31, 20), 0.14, (44, 61, 36), 16, "eye", (29, 13, 18)),
    Species("cinder lantern", 6, "pointed", (205, 42, 26), 0.08, (143, 174, 60), 6, "spots", (58, 11, 16)),
    Species("moonlit frostwheel", 18, "narrow", (222, 225, 232), 0.27, (239, 183, 28)),
    Species("winter veil", 6, "round", (222, 227, 222), 0.13, (239, 183, 28), 9, "stripes", (99, 155, 75)),
    Species("harbour skyling", 5, "round", (61, 123, 224), 0.09, (243, 207, 62), 0, "eye", (246, 248, 255)),
    Species("tidal spokestar", 12, "spoon", (63, 120, 222), 0.20, (52, 72, 140)),
    Species("copper fawnbell", 6, "pointed", (239, 125, 24), 0.08, (157, 181, 68), 6, "spots", (106, 29, 12)),
    Species("copper sunplate", 11, "round", (238, 122, 22), 0.24, (122, 58, 16), 0, "ring", (163, 36, 16)),
    Species("velvet frill", 7, "notched", (192, 42, 146), 0.12, (247, 227, 99), 0, "edge", (255, 235, 245)),
    Species("Käthes Maiglanz", 9, "notched", (198, 54, 152), 0.15, (232, 195, 58), rows=2),
)
LEAF = Species("leaf", 6, "pointed", (70, 110, 44), 0, (0, 0, 0))


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _petal(flower: Species, length: float) -> np.ndarray:
    """One petal lying along x, base at the left: RGBA (height, width, 4), values around 0 to 255."""
    a, b, fill, notch = SHAPES[flower.shape]
    peak = a / (a + b)
    half = length * min(fill * peak * float(np.tan(np.pi / max(flower.petals, 4))), 0.55)
    t = (np.arange(int(length) + 3, dtype=np.float32)[None] - 0.5) / length
    across = np.arange(-int(half) - 2, int(half) + 3, dtype=np.float32)[:, None] / half
    inside = np.clip(t, 1e-3, 1 - 1e-3)
    width = (inside / peak) ** a * ((1 - inside) / (1 - peak)) ** b
    rim = np.minimum((width - np.abs(across)) * half / length, 1 - notch * np.exp(-((across / 0.3) ** 2)) - t)
    s = np.clip(across / np.maximum(width, 0.05), -1, 1)
    mark = {  # weight of its colour
        "none": 0 * rim,
        "eye": 1 / (1 + np.exp(35 * (t - 0.42 + 0.12 * s**2))),
        "ring": np.exp(-(((t - 0.60) / 0.11) ** 4)) + 0 * s,
        "stripes": np.cos(1.5 * np.pi * s) ** 6 * np.clip(4 * (0.88 - t - 0.25 * np.abs(s)), 0, 1),
        "spots": np.clip(3 * np.sin(27 * t + 3 * s**2) * np.sin(7 * s + np.sin(9 * t)) - 0.9, 0, t < 0.8),
        "edge": np.exp(-((rim / 0.085) ** 2)),
    }[flower.marking][..., None]
    tip = np.clip(t, 0, 1)[..., None] ** 1.4
    colour = (np.array(flower.colour) * (1 + 0.1 * tip) + 36 * tip) * (1 - mark) + flower.mark_colour * mark
    # The base lies in the shade of its neighbours; then a crease, fine veins, one lit side and a thin rim.
    shade = 0.70 + 0.36 * np.clip(t / 0.55, 0, 1) ** 0.7 - 0.13 * np.exp(-((across / 0.07) ** 2)) * (1 - t)
    shade = shade + 0.035 * np.cos(22 * s) + 0.09 * s - 0.16 * np.exp(-50 * np.clip(rim, 0, None))
    return np.dstack([colour * shade[..., None], 255 * np.clip(rim * length + 0.5, 0, 1)])


def _place(canvas: Image.Image, petal: np.ndarray, base: np.ndarray, frame: np.ndarray) -> None:
    """Lay `petal` and its shadow with its base at `base` (x, y); `frame` (2, 2) its axes to the canvas."""
    height, width = petal.shape[:2]
    corners = frame @ [[0, 0, width, width], [-height / 2, height / 2] * 2] + base[:, None]
    low, high = np.floor(corners.min(1)).astype(int), np.ceil(corners.max(1)).astype(int)
    back = np.linalg.inv(frame)
    affine = np.column_stack([back, back @ (low - base) + (0, height / 2)]).ravel()
    texture = Image.fromarray(np.clip(petal, 0, 255).astype(np.uint8))
    tile = texture.transform(tuple(high - low), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    mask, fall = tile.getchannel("A"), (low + np.array([0.02, 0.04]) * width).astype(int)
    canvas.paste((16, 20, 14), tuple(fall), mask.point([int(0.36 * value) for value in range(256)]))
    canvas.paste(tile.convert("RGB"), tuple(low), mask)


def _backdrop(width: int, height: int, rng: Generator) -> Image.Image:
    """Grass and points of light out of focus, drawn at half resolution because they are blurred anyway."""
    top, bottom, grass = np.array(BACKDROPS[rng.integers(len(BACKDROPS))])
    small, unit = (width // 2, height // 2), min(width, height) / 2
    coarse = np.linspace(top, bottom, 8)[:, None] + rng.normal(0, 13, (8, 9, 1)) + rng.normal(0, 5, (8, 9, 3))
    image = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8)).resize(small)
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(rng.integers(4, 26)):
        foot, blade = rng.uniform((0, 0.5), (1, 1.2)) * small, rng.uniform((-0.2, -0.7), (0.2, -0.2)) * unit
        ink, thick = (*(grass * rng.uniform(0.6, 1.25)).astype(int), 150), unit * rng.uniform(0.01, 0.045)
        pen.line((*foot, *(foot + blade)), ink, 1 + int(thick))
    for _ in range(rng.integers(0, 9)):
        glow = (*((top + grass) / 2 + rng.uniform(0, 90, 3)).astype(int), rng.integers(30, 95))
        pen.circle(rng.uniform(0, small), rng.uniform(0.03, 0.12) * unit, glow)
    return image.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.008, 0.03))).resize((width, height))


def _disc(canvas: Image.Image, flower: Species, centre: np.ndarray, tilt: np.ndarray, rng: Generator) -> None:
    """Florets and stamens; `tilt` (2, 2) maps the flower's plane, in petal lengths, to the canvas."""
    pen, tone, unit = ImageDraw.Draw(canvas), np.array(flower.disc_colour), np.sqrt(np.linalg.det(tilt))
    florets = int(20 + 130 * flower.disc)
    radius = flower.disc * unit / np.sqrt(florets)
    for floret in range(florets, 0, -1):
        reach, angle = np.sqrt(floret / florets), floret * np.pi * (3 - np.sqrt(5))  # Vogel's packing, 1979
        ink = tuple((tone * (1.2 - 0.55 * reach**2) * rng.uniform(0.85, 1.15)).astype(int))
        pen.circle(centre + tilt @ _turn(angle)[:, 0] * reach * flower.disc, radius, ink)
    for angle in (np.arange(flower.stamens) + rng.uniform(0.3, 0.7)) * 2 * np.pi / max(flower.stamens, 1):
        at = centre + tilt @ _turn(angle)[:, 0] * (flower.disc + rng.uniform(0.10, 0.19))
        pen.line((*centre, *at), tuple((tone * 0.85 + 30).astype(int)), max(1, int(0.022 * unit)))
        pen.circle(at, 0.036 * unit, tuple((tone * 1.15 + 10).astype(int)))


def _photograph(scene: Image.Image, size: tuple[int, int], rng: Generator) -> Image.Image:
    """What the camera makes of the scene: focus, exposure, colour temperature, uneven light, sensor noise."""
    scene = scene.filter(ImageFilter.GaussianBlur(min(scene.size) * max(0, rng.uniform(-0.006, 0.008))))
    tint = rng.uniform(0.78, 1.16) * (1 + rng.uniform(-0.09, 0.09) * np.array([1, 0, -1]))
    pixels = np.asarray(scene.resize(size, Image.Resampling.BOX), np.float32) * tint
    x, y = (np.linspace(*rng.uniform(-0.2, 0.2, 2), side)[:, None] for side in size)
    noise = rng.standard_normal(pixels.shape, np.float32) * rng.uniform(1, 7)
    return Image.fromarray(np.clip(pixels * (1 + x + y[:, None]) + noise, 0, 255).astype(np.uint8))


def draw_flower(species: Species, size: int, rng: Generator) -> Image.Image:
    """One RGB picture, its shorter side `size` pixels (SMALLEST or more), the longer up to 1.3 times that."""
    shape = (round(size * rng.uniform(1, 1.3)), size)[:: rng.choice((1, 1, -1))]
    canvas = _backdrop(*(2 * side for side in shape), rng)  # twice the size: smooth edges
    length = min(canvas.size) * rng.uniform(0.33, 0.47)
    centre = canvas.size * rng.uniform(0.42, 0.58, 2)
    squash, lean, start, light = rng.uniform((0.72, 0, 0, 0), (1, np.pi, 2 * np.pi, 2 * np.pi))
    tilt = _turn(lean) * (squash, 1) @ _turn(-lean)
    stem = (*centre, centre[0] + rng.uniform(-0.7, 0.7) * length, canvas.height)
    ImageDraw.Draw(canvas).line(stem, LEAF.colour, max(2, int(0.08 * length)))
    for angle in rng.uniform(0.2, 2.9, rng.integers(4)):
        _place(canvas, _petal(LEAF, length * rng.uniform(1.1, 1.5)), centre, _turn(angle))
    for row in range(species.rows):
        petal = _petal(species, length * 0.68**row)
        for index in range(species.petals):
            angle = start + 2 * np.pi * (index + row / 2 + rng.uniform(-0.07, 0.07)) / species.petals
            stretch = rng.uniform(0.94, 1.04) * (1 + 0.5 * (1 - squash) * np.cos(angle - lean))  # perspective
            frame = tilt @ _turn(angle) * (stretch, rng.choice((-1, 1)) * rng.uniform(0.9, 1.08))
            gain = 1 + 0.11 * np.cos(angle - light) + rng.uniform(-0.04, 0.04)
            _place(canvas, petal * (gain, gain, gain, 1), centre, frame)
    _disc(canvas, species, centre, tilt * length, rng)
    return _photograph(canvas, shape, rng)


def draw_garden(root: Path, species: int, pictures: dict[str, int], size: int, seed: int) -> int:
    """Write `root/<split>/<species>/<0000>.jpg` for the first `species` of SPECIES; return the file count.

    `pictures`: split to pictures per species; `size`: shorter side, pixels. Pictures are seeded one by one:
    more of them change no other and equal calls give equal bytes. ValueError names an argument out of range.
    """
    if not 2 <= species <= len(SPECIES):
        raise ValueError(f"species: found {species}, expected 2 to {len(SPECIES)}")
    if size < SMALLEST:
        raise ValueError(f"size: found {size}, expected at least {SMALLEST} pixels")
    if odd := {split: count for split, count in pictures.items() if split not in SPLITS or count < 0}:
        raise ValueError(f"pictures: found {odd}, expected 0 or more for {', '.join(SPLITS)}")
    for split, count in pictures.items():
        for label, flower in enumerate(SPECIES[:species]):
            folder = Path(root) / split / flower.name
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                rng = np.random.default_rng([seed, SPLITS.index(split), label, index])
                draw_flower(flower, size, rng).save(folder / f"{index:04d}.jpg", quality=90)
    return species * sum(pictures.values())
