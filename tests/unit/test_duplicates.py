"""Nearly the same picture is found whatever happened to its file; different ones are kept apart."""

import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from florilegium import duplicates


def scene(number, size=(320, 240)):
    """A picture with light, shade and shapes, different for each number."""
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def recompressed(image, path):
    image.save(path, quality=40)
    return Image.open(path)


CHANGES = {
    "resized": lambda image, _: image.resize((150, 110)),
    "recompressed": lambda image, folder: recompressed(image, folder / "again.jpg"),
    "brighter": lambda image, _: ImageEnhance.Brightness(image).enhance(0.8),
    "grey": lambda image, _: image.convert("L").convert("RGB"),
    "squashed": lambda image, _: image.resize((200, 200)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_is_nearly_the_same(change, tmp_path):
    hashes = [duplicates.difference_hash(image) for image in (scene(1), scene(2), change(scene(1), tmp_path))]
    groups = duplicates.near_groups(pd.Series(hashes))
    assert groups[0] == groups[2] != groups[1]


def bits_of(text):
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8))


def test_groups_are_those_of_comparing_every_pair_bit_by_bit():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (60, 128), dtype=np.uint8)
    for row in range(20, 60):  # copies with a few bits changed, also copies of copies
        bits[row] = bits[rng.integers(0, row)]
        bits[row, rng.choice(128, rng.integers(0, 2 * duplicates.NEAR), replace=False)] ^= 1
    hashes = pd.Series([np.packbits(row).tobytes().hex() for row in bits])
    expected = np.arange(60)
    for first, second in itertools.combinations(range(60), 2):
        if (bits_of(hashes[first]) != bits_of(hashes[second])).sum() <= duplicates.NEAR:
            expected[expected == expected[second]] = expected[first]
    found = duplicates.near_groups(hashes)
    assert len(set(expected)) < 60
    assert ((found[:, None] == found) == (expected[:, None] == expected)).all()


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_without_contrast_are_alike_to_none(count):
    flat = [duplicates.difference_hash(Image.new("RGB", (30, 20), "white"))] * count
    assert len(set(duplicates.near_groups(pd.Series(flat)))) == count
    assert len(set(duplicates.near_groups(pd.Series([*flat, duplicates.difference_hash(scene(1))])))) == count + 1


def test_the_near_duplicates_of_flowers102_are_found(flowers102):
    """Lotus 1827 and 1870 are one photograph in two files of different bytes; 1828 is another lotus."""
    numbers = (1827, 1870, 1828)
    hashes = [duplicates.difference_hash(Image.open(flowers102 / "jpg" / f"image_{n:05d}.jpg")) for n in numbers]
    groups = duplicates.near_groups(pd.Series(hashes))
    assert groups[0] == groups[1] != groups[2]
