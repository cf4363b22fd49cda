"""The garden grows the same flowers for everyone, and they are worth telling apart."""

import numpy as np
import pytest
from PIL import Image

from florilegium import garden

PICTURES = {"train": 3, "val": 1, "test": 2}


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.jpg")}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    root = tmp_path_factory.mktemp("garden")
    assert garden.draw_garden(root, 4, PICTURES, 32, 7) == 4 * 6
    return files(root)


def mean_colours(split, count):
    labels = np.repeat(np.arange(len(garden.SPECIES)), count)
    rngs = [np.random.default_rng([7, split, *number]) for number in enumerate(labels)]
    pictures = (garden.draw_flower(garden.SPECIES[k], 24, rng) for k, rng in zip(labels, rngs, strict=True))
    return np.array([np.asarray(picture).mean((0, 1)) for picture in pictures]), labels


def test_there_are_at_least_twelve_species_with_distinct_names():
    names = [species.name for species in garden.SPECIES]
    assert len(set(names)) == len(names) >= 12
    assert any(not name.isascii() for name in names), "paths with an umlaut must be exercised"
    assert all(" " in name for name in names), "paths with a space must be exercised"


def test_the_same_arguments_give_the_same_bytes(grown, tmp_path):
    garden.draw_garden(tmp_path, 4, PICTURES, 32, 7)
    assert files(tmp_path) == grown


def test_more_species_and_more_pictures_change_no_existing_picture(grown, tmp_path):
    garden.draw_garden(tmp_path, 5, {"test": 3, "val": 2, "train": 4}, 32, 7)
    larger = files(tmp_path)
    assert len(larger) == 5 * 9
    assert {name: larger[name] for name in grown} == grown


def test_another_seed_gives_another_garden(grown, tmp_path):
    garden.draw_garden(tmp_path, 4, PICTURES, 32, 8)
    assert not set(files(tmp_path).values()) & set(grown.values())


def test_no_two_pictures_are_identical(grown):
    assert len(set(grown.values())) == len(grown)


def test_files_lie_in_a_folder_per_split_and_species(grown):
    folders = [(split, species.name) for split in PICTURES for species in garden.SPECIES[:4]]
    expected = {f"{split}/{name}/{i:04d}.jpg" for split, name in folders for i in range(PICTURES[split])}
    assert set(grown) == expected


def test_every_file_is_an_rgb_jpeg_and_not_all_have_one_aspect(tmp_path):
    garden.draw_garden(tmp_path, len(garden.SPECIES), {"train": 2}, 40, 0)
    sizes = set()
    for path in tmp_path.rglob("*.jpg"):
        with Image.open(path) as picture:
            picture.load()
            assert (picture.format, picture.mode) == ("JPEG", "RGB")
            assert min(picture.size) == 40 <= max(picture.size) <= 52
            sizes.add(picture.size)
    assert len(sizes) > 5


@pytest.mark.parametrize("species", garden.SPECIES, ids=lambda species: species.name)
def test_every_species_can_be_drawn_at_the_smallest_size(species):
    picture = garden.draw_flower(species, garden.SMALLEST, np.random.default_rng(0))
    assert np.asarray(picture).std() > 5


def test_mean_colour_helps_but_does_not_tell_the_species_apart():
    species = len(garden.SPECIES)
    known, labels = mean_colours(0, 12)
    unknown, truth = mean_colours(1, 12)
    centroids = np.array([known[labels == label].mean(0) for label in range(species)])
    nearest = np.linalg.norm(unknown[:, None] - centroids, axis=-1).argmin(1)
    accuracy = (nearest == truth).mean()
    assert 2 / species < accuracy < 0.6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"species": 1}, "species: found 1, expected 2 to"),
        ({"species": len(garden.SPECIES) + 1}, f"species: found {len(garden.SPECIES) + 1}, expected 2 to"),
        ({"size": 15}, "size: found 15, expected at least 16 pixels"),
        ({"pictures": {"trian": 3}}, "pictures: found {'trian': 3}, expected 0 or more for train, val, test"),
        ({"pictures": {"train": -1}}, "pictures: found {'train': -1}, expected"),
    ],
)
def test_an_argument_out_of_range_is_named_before_anything_is_written(tmp_path, change, message):
    arguments = {"species": 2, "pictures": {"train": 1}, "size": 16, "seed": 0} | change
    with pytest.raises(ValueError) as error:
        garden.draw_garden(tmp_path / "garden", **arguments)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "garden").exists()
