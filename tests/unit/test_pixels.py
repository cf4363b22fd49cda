"""Every photograph is decoded once, into the row of its number, and read back row for row."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from florilegium import files, images, pixels
from florilegium.errors import UserError
from florilegium.manifest import Manifest


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """More pictures than one worker takes at a time, of different sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = []
    for number in range(pixels.CHUNK + 9):
        rng = np.random.default_rng(number)
        colours = rng.integers(0, 256, (rng.integers(9, 40), rng.integers(9, 40), 3), dtype=np.uint8)
        paths.append(str(folder / f"{number} ä.jpg"))
        Image.fromarray(colours).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def written(photographs, tmp_path_factory):
    target = tmp_path_factory.mktemp("array") / "pixels.npy"
    pixels.write_pixels(target, photographs, 12, workers=2)
    return target


def test_row_i_is_photograph_i(photographs, written):
    array = np.load(written)
    assert array.shape == (len(photographs), 12, 12, 3) and array.dtype == np.uint8
    assert (array == np.stack([images.square_pixels(path, 12, "squash") for path in photographs])).all()


@pytest.mark.parametrize(("mode", "share"), [("center", 1), ("imagenet", 7 / 8)])
def test_the_middle_square_keeps_the_shape_of_what_it_shows(photographs, tmp_path, mode, share):
    pixels.write_pixels(tmp_path / "center.npy", photographs, 12, workers=1, mode=mode)
    for path, found in zip(photographs, np.load(tmp_path / "center.npy"), strict=True):
        picture = Image.open(path)
        shorter = share * min(picture.size)
        left, top = (picture.width - shorter) / 2, (picture.height - shorter) / 2
        box = (left, top, left + shorter, top + shorter)
        assert (found == np.asarray(picture.resize((12, 12), Image.Resampling.BILINEAR, box=box))).all()


def test_a_square_is_the_same_in_both_modes_and_a_circle_stays_one_only_in_the_middle(tmp_path):
    across, down = np.meshgrid(np.arange(200) - 99.5, np.arange(100) - 49.5)
    Image.fromarray(np.uint8(255 * (np.hypot(across, down) < 30))).save(tmp_path / "circle.png")
    Image.fromarray(np.uint8(across[:, :100] + down[:, :100] + 150)).save(tmp_path / "square.png")
    circle = images.square_pixels(tmp_path / "circle.png", 50, "center")[..., 0] > 127
    assert circle.any(0).sum() == circle.any(1).sum() == 30
    squashed = images.square_pixels(tmp_path / "circle.png", 50, "squash")[..., 0] > 127
    assert (squashed.any(0).sum(), squashed.any(1).sum()) == (15, 30) or squashed.any(0).sum() == 16
    both = [images.square_pixels(tmp_path / "square.png", 50, mode) for mode in ("squash", "center")]
    assert np.array_equal(*both)


def test_one_worker_and_two_write_the_same_bytes(photographs, written, tmp_path):
    pixels.write_pixels(tmp_path / "one.npy", photographs, 12, workers=1)
    assert (tmp_path / "one.npy").read_bytes() == written.read_bytes()


@pytest.mark.parametrize(
    "index",
    [[0], [3, 1, 2], [5, 5, 0, 5], [], [19, 0, 7, 7, 19]],
    ids=["one", "unsorted", "repeated", "none", "both"],
)
def test_any_index_gives_the_rows_of_the_split_in_its_order(written, index):
    rows = np.arange(70, 30, -2)  # a split's positions need not be sorted either
    split = pixels.Pixels(written, rows)
    index = np.array(index, dtype=np.int64)
    assert len(split) == 20 and split.side == 12
    assert (split[index] == np.load(written)[rows[index]]).all()


def test_a_batch_is_the_callers_own(written):
    split = pixels.Pixels(written, np.arange(4))
    batch = split[np.array([0, 1])]
    batch += 1  # would fail on, or change, a view of the file
    assert (split[np.array([0, 1])] == np.load(written)[:2]).all()


def test_a_row_beyond_the_file_is_refused(written):
    with pytest.raises(ValueError, match="holds 73 images, row 73 was asked for"):
        pixels.Pixels(written, np.array([73]))


def test_a_picture_that_is_gone_since_the_manifest_is_refused_by_name(photographs, tmp_path):
    target, gone = tmp_path / "pixels.npy", str(tmp_path / "gone.jpg")
    with (
        pytest.raises(UserError, match="gone.jpg was in the manifest but cannot be read now"),
        files.written_whole(target) as partial,
    ):
        pixels.write_pixels(partial, [*photographs[:3], gone], 12, workers=1)
    assert os.listdir(tmp_path) == [], "a failed write leaves no array"


def test_a_picture_that_was_replaced_since_the_manifest_is_refused_by_name(photographs, tmp_path):
    paths = [shutil.copy(path, tmp_path) for path in photographs[:3]]
    digests = [files.file_digest(path) for path in paths]
    pixels.write_pixels(tmp_path / "pixels.npy", paths, 12, 1, digests)
    shutil.copy(paths[0], paths[1])
    with pytest.raises(UserError, match="1 ä.jpg is not the picture that the manifest lists"):
        pixels.write_pixels(tmp_path / "again.npy", paths, 12, 1, digests)


def test_reading_does_not_grow_the_process_with_the_file(tmp_path):
    array = np.lib.format.open_memmap(tmp_path / "big.npy", mode="w+", dtype=np.uint8, shape=(1500, 256, 256, 3))
    array.flush()  # 281 MiB, sparse on disk
    del array
    code = f"""
import sys; sys.path.insert(0, {os.path.dirname(os.path.dirname(pixels.__file__))!r})
import numpy as np, resource
from florilegium.pixels import Pixels
split = Pixels({str(tmp_path / "big.npy")!r}, np.arange(1500))
split[np.arange(16)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for start in range(0, 1500, 16):
    split[np.arange(start, min(start + 16, 1500))]
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 60, "MiB"


def test_the_manifest_gives_labels_and_positions_of_a_split(tmp_path):
    rows = ["path,label,class_name,split,sha256,width,height"]
    kinds = [("train", 0, "NA"), ("val", 1, "null"), ("train", 1, "null"), ("test", 0, "NA")]
    rows += [f"a{i}.jpg,{label},{name},{split},x,9,9" for i, (split, label, name) in enumerate(kinds)]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    files.write_json(tmp_path / "dataset.json", {"class_names": ["NA", "null"], "fingerprint": "f"})
    manifest = Manifest(tmp_path / "manifest.csv", tmp_path / "dataset.json")
    assert manifest.rows("train").tolist() == [0, 2] and manifest.labels("train").tolist() == [0, 1]
    assert manifest.images("val")["class_name"].tolist() == ["null"], "a class called null is no missing value"
    assert manifest.class_names == ["NA", "null"] and manifest.fingerprint == "f"
