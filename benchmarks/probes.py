"""Small measurements around the pixels: each command runs in a process of its own and prints one JSON line.

pixels      decode a dataset with all cores and on one thread; leaves pixels_<resize>.npy and splits.json
initialise  random weights whose BatchNorm statistics fit the photographs, for an architecture without weights
decode      decode the same few photographs often, for the growth table
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from peak_memory import PeakMemory
from PIL import Image

from florilegium.pixels import write_pixels


def one_thread(paths: list[str], side: int) -> None:
    """What a straightforward script does: open, convert, resize, one after the other."""
    for path in paths:
        with Image.open(path) as image:
            np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def pixels(given: argparse.Namespace) -> dict:
    """Both ways of decoding, alternating, `repetitions` times; images/s of each time."""
    from course_way import chosen, files, labels, photographs

    paths, rows, targets = [], {}, []
    for split in ("train", "val", "test"):
        dataset = photographs(given.root, split)
        places = chosen(dataset, getattr(given, split))
        rows[split] = list(range(len(paths), len(paths) + len(places)))
        paths += [files(dataset)[place] for place in places]
        targets += [labels(dataset)[place] for place in places]
    classes = len(set(labels(photographs(given.root, "train"))))
    about = {"rows": rows, "labels": targets, "classes": classes}
    (given.data / "splits.json").write_text(json.dumps(about), encoding="utf-8")
    for path in paths:  # so that the first repetition finds the files where the others do: in the system's cache
        Path(path).read_bytes()
    found: dict[str, list[float]] = {"ours": [], "reference": []}
    target = given.data / f"pixels_{given.side}.npy"
    for _ in range(given.repetitions):
        target.unlink(missing_ok=True)
        os.sync()  # what the repetition before wrote goes to the disk now, not during the next one
        start = time.perf_counter()
        one_thread(paths, given.side)
        found["reference"].append(len(paths) / (time.perf_counter() - start))
        start = time.perf_counter()
        write_pixels(target, paths, given.side, os.cpu_count() or 1)
        found["ours"].append(len(paths) / (time.perf_counter() - start))
    return found | {"images": len(paths), "size": Image.open(paths[0]).size, "enlarged": enlarged(paths, given)}


def enlarged(paths: list[str], given: argparse.Namespace) -> dict:
    """Both ways on some of the photographs at twice their size, where decoding weighs more and writing weighs less."""
    if not given.enlarged:
        return {}
    found: dict[str, list[float]] = {"ours": [], "reference": []}
    with tempfile.TemporaryDirectory(dir=given.data) as folder:
        larger = []
        for number, path in enumerate(paths[:: max(1, len(paths) // given.enlarged)]):
            with Image.open(path) as image:
                size = (2 * image.width, 2 * image.height)
                larger.append(f"{folder}/{number}.jpg")
                image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(larger[-1], quality=90)
        for _ in range(3):
            start = time.perf_counter()
            one_thread(larger, given.side)
            found["reference"].append(len(larger) / (time.perf_counter() - start))
            start = time.perf_counter()
            write_pixels(Path(folder) / "pixels.npy", larger, given.side, os.cpu_count() or 1)
            found["ours"].append(len(larger) / (time.perf_counter() - start))
    return found


def initialise(given: argparse.Namespace) -> dict:
    """A state dict without head: random numbers, BatchNorm statistics of 16 photographs.

    Without the statistics a random network in eval mode drives its activations to zero, or beyond all numbers, and the
    arithmetic of denormals would be what is measured.
    """
    import torch

    from florilegium.augment import evaluation_view
    from florilegium.networks import build_network, head_name

    network = build_network(given.architecture, 2, None, 42)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    array = np.load(given.data / f"pixels_{given.side}.npy", mmap_mode="r")
    with torch.no_grad():
        network.train()(evaluation_view(torch.from_numpy(array[:16].copy()), given.crop))
    head = head_name(network) + "."
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(head)}
    torch.save(state, given.target)
    return {"architecture": given.architecture}


def decode(given: argparse.Namespace) -> dict:
    """Pixels of `images` photographs, the ones in `root` over and over; leaves splits.json for a training epoch."""
    paths = sorted(str(path) for path in given.root.rglob("*.jpg"))
    names = sorted({Path(path).parent.name for path in paths})
    repeated = [paths[place % len(paths)] for place in range(given.images)]
    start = time.perf_counter()
    write_pixels(given.data / f"pixels_{given.side}.npy", repeated, given.side, os.cpu_count() or 1)
    seconds = time.perf_counter() - start
    held_out = max(2, given.images // 10)
    rows = {"train": list(range(given.images)), "val": list(range(held_out)), "test": []}
    targets = [names.index(Path(path).parent.name) for path in repeated]
    about = {"rows": rows, "labels": targets, "classes": len(names)}
    (given.data / "splits.json").write_text(json.dumps(about), encoding="utf-8")
    return {"images": given.images, "seconds": seconds}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("probe", choices=("pixels", "initialise", "decode"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--enlarged", type=int, default=0, help="about as many photographs once more, twice as large")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--architecture", default="mobilenet_v2")
    parser.add_argument("--target", type=Path)
    for split in ("train", "val", "test"):
        parser.add_argument(f"--{split}", type=int, default=10**6)
    return parser.parse_args()


def main() -> None:
    memory, given = PeakMemory(), arguments()
    record = {"pixels": pixels, "initialise": initialise, "decode": decode}[given.probe](given)
    print(json.dumps(record | {"peak_memory_gib": memory.gib()}))


if __name__ == "__main__":
    main()
