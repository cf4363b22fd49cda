"""One training step under the magnifying glass: each command runs in a process of its own and prints one JSON line.

step     our step on real pixels: augmentation's share, achieved FLOP/s, page faults, a profile
formats  a bare step in fp32 and bf16, channels-last and not, in turns
compile  torch.compile of the faster of them
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from our_way import SEED, Data, lesson, network_of
from peak_memory import PeakMemory
from torch.utils.flop_counter import FlopCounterMode

from florilegium.augment import draw, train_view
from florilegium.devices import FORMATS, Arithmetic, bf16_gain, choose_arithmetic, choose_device, prepare_process
from florilegium.fine_tuning import parameter_groups
from florilegium.stepper import Stepper

PRODUCT_SIDE = 2048
LAYOUTS = {"channels-last": torch.channels_last, "NCHW": torch.contiguous_format}
PROFILE_ROWS = 12


def clock(device: torch.device) -> float:
    """Seconds, after the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    start = clock(device)
    work()
    return clock(device) - start


def stepper_of(given: argparse.Namespace, arithmetic: Arithmetic, layout: torch.memory_format, classes: int) -> Stepper:
    """The library's step for a network with its optimizer."""
    settings = lesson(given.architecture, {"batch_size": given.batch})
    network = network_of(given.architecture, settings, given.weights, classes)
    network.to(arithmetic.device, memory_format=layout).train()
    optimizer = torch.optim.AdamW(parameter_groups(network, settings), weight_decay=0.01, fused=True)
    return Stepper(network, optimizer, settings, arithmetic)


def step(given: argparse.Namespace) -> dict:
    """The step of phase 2, augmentation and network timed apart, with matrix products in between."""
    settings = lesson(given.architecture, {"resize": given.resize, "crop": given.crop, "batch_size": given.batch})
    arithmetic = choose_arithmetic(settings["precision"])
    device, crop, batch = arithmetic.device, settings["crop"], settings["batch_size"]
    data = Data(given.data, settings["resize"], device, {})
    images, targets = data.split("train")
    stepper = stepper_of(given, arithmetic, torch.channels_last, data.classes)
    generator = torch.Generator().manual_seed(SEED)

    def views_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
        index = torch.randint(0, len(images), (batch,), generator=generator)
        drawn = draw(batch, images.side, crop, settings["augmentation"], generator)
        return arithmetic.lay_out(train_view(images.batch(index), crop, drawn)), targets[index].to(device)

    stepper.step(*views_and_labels())
    seconds: dict[str, list[float]] = {"augmentation": [], "network": []}
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(given.steps):
        start = clock(device)
        views, labels = views_and_labels()
        middle = clock(device)
        stepper.step(views, labels)
        seconds["augmentation"].append(middle - start)
        seconds["network"].append(clock(device) - middle)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    seconds["product"] = product_seconds(arithmetic, 2 * given.steps)
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    forward = forward_flops(stepper.network, views[:1])
    return {
        "arithmetic": arithmetic.describe(),
        "share": median["augmentation"] / (median["augmentation"] + median["network"]),
        "images_per_second": batch / (median["augmentation"] + median["network"]),
        "forward_gflop": forward / 1e9,
        "achieved_gflops": 3 * forward * batch / median["network"] / 1e9,
        "product_gflops": 2 * PRODUCT_SIDE**3 / median["product"] / 1e9,
        "page_faults": faults / given.steps,
        "profile": profile(lambda: stepper.step(*views_and_labels())) if given.profile else [],
    }


def product_seconds(arithmetic: Arithmetic, count: int) -> list[float]:
    """Seconds of matrix products in the same format, after one to warm up."""
    matrix = torch.randn(PRODUCT_SIDE, PRODUCT_SIDE, device=arithmetic.device).to(arithmetic.dtype)
    return [seconds_of(lambda: matrix @ matrix, arithmetic.device) for _ in range(count + 1)][1:]


def forward_flops(network: torch.nn.Module, view: torch.Tensor) -> float:
    """Floating-point operations of one image forward; a multiply-add counts as two."""
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(view)
    network.train()
    return float(counter.get_total_flops())


def profile(work: Callable[[], object]) -> list[dict]:
    """Where one step spends its time: the operators that take most of it."""
    with torch.profiler.profile(activities=torch.profiler.supported_activities()) as profiler:
        work()
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    top = sorted(events, key=lambda event: -event.self_cpu_time_total)[:PROFILE_ROWS]
    return [
        {"name": event.key, "calls": event.count, "ms": event.self_cpu_time_total / 1e3}
        | {"share": event.self_cpu_time_total / total}
        for event in top
    ]


def formats(given: argparse.Namespace) -> dict:
    """Images/s of a bare step for every format and layout, in turns; the first turn warms up."""
    device, batch = choose_device(), given.batch
    names = ["fp32", "bf16"] if device.type == "cpu" else list(FORMATS)
    ways = {}
    views, labels = torch.randn(batch, 3, given.crop, given.crop, device=device), torch.arange(batch, device=device) % 2
    for name in names:
        for layout, memory_format in LAYOUTS.items():
            stepper = stepper_of(given, Arithmetic(device, FORMATS[name]), memory_format, 2)
            ways[f"{name}, {layout}"] = (stepper, views.contiguous(memory_format=memory_format))
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(given.steps + 1):
        for way, (stepper, laid_out) in ways.items():
            seconds[way].append(seconds_of(lambda s=stepper, v=laid_out: s.step(v, labels), device))
    found = {way: batch / float(np.median(values[1:])) for way, values in seconds.items()}
    chosen = choose_arithmetic("auto", device).describe().rsplit(", ", 1)[1]
    return {"images_per_second": found, "chosen": f"{chosen}, channels-last", "bf16_gain": bf16_gain()}


def compiled(given: argparse.Namespace) -> dict:
    """The same step, then the same compiled: images/s and the seconds that compiling took."""
    device, batch = choose_device(), given.batch
    name, layout = given.way.split(", ")
    stepper = stepper_of(given, Arithmetic(device, FORMATS[name]), LAYOUTS[layout], 2)
    views = torch.randn(batch, 3, given.crop, given.crop, device=device).contiguous(memory_format=LAYOUTS[layout])
    labels = torch.arange(batch, device=device) % 2
    runs = [seconds_of(lambda: stepper.step(views, labels), device) for _ in range(given.steps + 1)][1:]
    eager = float(np.median(runs))
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(given.cache)
    stepper.network = torch.compile(stepper.network)
    first = seconds_of(lambda: stepper.step(views, labels), device)
    fast = float(np.median([seconds_of(lambda: stepper.step(views, labels), device) for _ in range(given.steps)]))
    return {"eager": batch / eager, "compiled": batch / fast, "compile_seconds": first - fast}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("probe", choices=("step", "formats", "compile"))
    parser.add_argument("--architecture", default="mobilenet_v2")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--resize", type=int)
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--way", default="fp32, channels-last")
    parser.add_argument("--allocator", choices=("kept", "default"), default="kept", help="prepare_process's, or none")
    parser.add_argument("--cache", type=Path, help="empty folder for what torch.compile makes")
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


def main() -> None:
    memory, given = PeakMemory(), arguments()
    if given.allocator == "kept":
        prepare_process(os.cpu_count() or 1)
    torch.set_num_threads(os.cpu_count() or 1)
    record = {"step": step, "formats": formats, "compile": compiled}[given.probe](given)
    print(json.dumps(record | {"peak_memory_gib": memory.gib()}))


if __name__ == "__main__":
    main()
