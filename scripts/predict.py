"""Name photographs with an exported network. Needs onnxruntime, numpy and Pillow, and no other file of this project.

    python predict.py --model model.onnx photo.jpg folder/
    cat photo.jpg | python predict.py --model model.service.onnx --json -

PHOTO is a file, FOLDER is searched with all folders below it (in the order of the names; hidden and linked ones are
left out), - reads the bytes of one picture from standard input. Every ONNX file of a run will do; it says itself how to
prepare a picture. The answers come one by one as pictures are read: a table; with --json one JSON object a line (of one
picture: one JSON document); with --csv a row for each picture and rank. "Not sure" is said where the best probability
is under the file's own threshold, which validation set, or under --threshold. Unreadable pictures are named on standard
error. Exit status: 0 all pictures named, 1 some could not be read, 2 the call cannot work (no such file or model).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import io
import itertools
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
SMALLEST = 8  # pixels; a shorter side tells a network nothing, and training refused it
LARGEST_INPUT = 256 << 20  # bytes of a picture on standard input
CLEAR = "\r\033[K"  # of a terminal: to the start of the line, which is emptied
KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
SQUARES = {  # the shape ignored; the middle square; that of 7/8 of the shorter side
    "squash": Image.Image.resize,
    "center": ImageOps.fit,
    "imagenet": functools.partial(ImageOps.fit, bleed=1 / 16),
}
Report = Callable[[str, str], None]  # of a path and the reason why it is left out


class Unusable(Exception):
    """The call cannot work; the text is one line that says what to do."""


class Answer(NamedTuple):
    """What a network says of one picture."""

    path: str
    best: list[tuple[str, float]]  # class name and probability, the most probable first
    sure: bool | None  # None: the file has no threshold, and none was given


class Network:
    """An ONNX file of a run, and what it says of itself."""

    def __init__(self, path: str | os.PathLike, threads: int = 0):
        """Open `path` with `threads` threads, 0 for all cores; raises Unusable."""
        if not os.path.isfile(path):
            raise Unusable(f"{path} is not a file; name the network with --model")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        try:
            self._session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
            about = self._session.get_modelmeta().custom_metadata_map
            self.class_names: list[str] = json.loads(about["class_names"])
            preprocessing = json.loads(about["preprocessing"])
        except KeyError as error:
            raise Unusable(f"{path} does not say its {error.args[0]}; expected an ONNX file of a run") from None
        except Exception as error:  # onnxruntime has a dozen exceptions with no name in common
            raise Unusable(f"{path} is no ONNX file that runs here: {one_line(error)}") from None
        first = self._session.get_inputs()[0]
        self._input, self._kind = first.name, KINDS[first.type]
        self.prepares = self._kind is np.uint8  # whole pictures in, probabilities out
        self.side: int = preprocessing["size"]
        mode = preprocessing.get("resize_mode", "squash")  # files from before do not say it
        if mode not in SQUARES:
            raise Unusable(f"{path} asks for resize_mode '{mode}'; this predict.py knows {', '.join(SQUARES)}")
        self._to_square = SQUARES[mode]
        self._mean, self._std = (np.array(preprocessing[key], np.float32) * 255 for key in ("mean", "std"))
        self._temperature: float = json.loads(about.get("temperature", "null")) or 1.0
        self.threshold: float | None = json.loads(about.get("sure_threshold", "null"))

    def view(self, picture: Image.Image) -> np.ndarray:
        """An upright RGB picture as this network takes it."""
        if self.prepares:  # by itself; a huge picture would only cost it gigabytes
            return np.asarray(picture.reduce(max(1, min(picture.size) // (4 * self.side))))
        small = self._to_square(picture, (self.side, self.side), Image.Resampling.BILINEAR)  # antialiased
        return ((np.asarray(small, np.float32) - self._mean) / self._std).transpose(2, 0, 1).astype(self._kind)

    def probabilities(self, views: list[np.ndarray]) -> np.ndarray:
        """(n, classes) for n views."""
        parts = [[view] for view in views] if self.prepares else [views]  # whole pictures differ in size
        outputs = np.concatenate([self._session.run(None, {self._input: np.stack(part)})[0] for part in parts])
        if self.prepares:
            return outputs
        logits = outputs.astype(np.float64) / self._temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


def photographs(given: Iterable[str], report: Report) -> Iterator[str]:
    """Paths of all pictures; no more names are held than those of one folder and of the folders on the way to it."""
    for path in given:
        if not os.path.isdir(path):
            yield path
            continue
        for parent, folders, files in os.walk(path, onerror=lambda error: report(error.filename, one_line(error))):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            files.sort()
            shown = (name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith("."))
            yield from (os.path.join(parent, name) for name in shown)


def read(source: str | io.BytesIO, side: int) -> Image.Image:
    """A picture as upright RGB, as training read it; a large JPEG is decoded at twice `side` or more.

    Raises:
        Exception: whatever Pillow's decoders make of a damaged file.
    """
    with Image.open(source) as image:
        if min(image.size) < SMALLEST:
            raise ValueError(f"{image.width} x {image.height} pixels, smaller than {SMALLEST}")
        image.draft(None, (2 * side, 2 * side))
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """16-bit and float greys become 8 bits, transparency lies on white, as in scripts/florilegium/images.py."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, dtype=np.float64)
        grey = grey / 257.0 if image.mode.startswith("I;16") or grey.max() > 255 else grey
        return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def readable(paths: Iterable[str], network: Network, report: Report) -> Iterator[tuple[str, np.ndarray]]:
    """Path and view of every picture that can be read."""
    for path in paths:
        try:
            source = io.BytesIO(sys.stdin.buffer.read(LARGEST_INPUT)) if path == "-" else path
            view = network.view(read(source, network.side))
        except Exception as error:  # a decoder raises anything, down to struct.error
            report(path, problem(error))
        else:
            yield path, view


def problem(error: Exception) -> str:
    """In one line, why a picture cannot be read."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "no picture, or of a kind that Pillow does not know"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large, more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} million pixels"
    return one_line(error)


def one_line(error: Exception) -> str:
    """An exception's text without its line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def answers(network: Network, given: argparse.Namespace, report: Report) -> Iterator[Answer]:
    """What the network says of each picture, a batch of them at a time."""
    threshold = network.threshold if given.threshold is None else given.threshold
    pictures = readable(photographs(given.pictures, report), network, report)
    while batch := list(itertools.islice(pictures, 1 if network.prepares else given.batch)):
        for (path, _), row in zip(batch, network.probabilities([view for _, view in batch]), strict=True):
            best = [(network.class_names[i], float(row[i])) for i in np.argsort(-row, kind="stable")[: given.top]]
            yield Answer(path, best, None if threshold is None else best[0][1] >= threshold)


def write(answer: Answer, form: str, width: int) -> None:
    """Print an answer; class names take `width` columns of the table."""
    path, best, sure = answer
    ranked = [(rank, name, round(share, 6)) for rank, (name, share) in enumerate(best, 1)]
    if form == "json":
        classes = [{"class_name": name, "probability": share} for _, name, share in ranked]
        print(json.dumps({"path": path, "sure": sure, "predictions": classes}, ensure_ascii=False))
    elif form == "csv":
        rows = [(path, *row, "" if sure is None else str(sure).lower()) for row in ranked]
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    else:
        print(path + (": not sure" if sure is False else ""))
        for rank, name, share in ranked:
            print(f"{rank:4d}  {name:{width}}  {100 * share:5.1f} %")


def run(given: argparse.Namespace) -> int:
    """Name all pictures; returns the exit status, or raises Unusable."""
    counts, shown = {"named": 0, "left out": 0}, sys.stderr.isatty() and not sys.stdout.isatty()

    def report(path: str, reason: str) -> None:
        counts["left out"] += 1
        print(f"{CLEAR if shown else ''}left out: {path}: {reason}", file=sys.stderr)

    for path in given.pictures:
        if path != "-" and not os.path.exists(path):
            raise Unusable(f"{path} does not exist; expected a picture, a folder of pictures, or -")
    network = Network(given.model, given.threads)
    if given.form == "csv":
        print("path,rank,class_name,probability,sure")
    for answer in answers(network, given, report):
        write(answer, given.form, max(map(len, network.class_names)))
        counts["named"] += 1
        if shown and counts["named"] % given.batch == 0:
            print(f"{CLEAR}{counts['named']} pictures", end="", file=sys.stderr, flush=True)
    print(CLEAR if shown else "", end="", file=sys.stderr)
    if not any(counts.values()):
        raise Unusable(f"no pictures in {', '.join(given.pictures)}; expected files named {' '.join(SUFFIXES)}")
    return 1 if counts["left out"] else 0


def number(kind: type, low: float, high: float) -> Callable[[str], float]:
    """Reads a number of the command line that lies between two others."""

    def read_number(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= kind(text) <= high:
                return kind(text)
        raise argparse.ArgumentTypeError(f"'{text}' is no {'whole ' if kind is int else ''}number from {low} to {high}")

    return read_number


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and do what it says; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", metavar="PHOTO|FOLDER|-")
    beside = Path(__file__).with_name("model.onnx")
    parser.add_argument(
        "--model", default=beside, help="an ONNX file of a run (default: model.onnx beside this script)"
    )
    forms = parser.add_mutually_exclusive_group()
    for form in ("json", "csv"):
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, default="table")
    parser.add_argument("--top", type=number(int, 1, 10**6), default=5, help="classes of each picture (default: 5)")
    parser.add_argument("--batch", type=number(int, 1, 4096), default=16, help="pictures at a time (default: 16)")
    parser.add_argument("--threads", type=number(int, 1, 1024), default=0, help="(default: one for each core)")
    parser.add_argument("--threshold", type=number(float, 0, 1), help="not sure below it (default: the file's own)")
    given = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a file's name need not be UTF-8, a class name need not be ASCII
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    warnings.simplefilter("ignore")  # Pillow's, about pictures that it reads all the same
    try:
        return run(given)
    except Unusable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
