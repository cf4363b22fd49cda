"""One engine in a process of its own: answers to orders on standard input how long it took, one line of JSON each.

    python -m florilegium.engine_worker torch final.pth 224
    python -m florilegium.engine_worker onnx model.int8.onnx 224

It first says how long loading took, imports not counted, then how much memory the process had held at most after its
first answer to a single picture. It ends when its input does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from florilegium.memory import peak_mb


def onnx_engine(path: str) -> Callable[[int], Callable[[np.ndarray], object]]:
    """Threads -> a function that answers views, by onnxruntime."""
    from florilegium.onnx_sessions import cpu_session

    def with_threads(threads: int) -> Callable[[np.ndarray], object]:
        session = cpu_session(path, threads)
        name = session.get_inputs()[0].name
        return lambda views: session.run(None, {name: views})

    return with_threads


def torch_engine(path: str) -> Callable[[int], Callable[[np.ndarray], object]]:
    """Threads -> a function that answers views, by torch in eager fp32, as a checkpoint is usually served."""
    import torch

    from florilegium.checkpoints import load_network

    networks = []

    def with_threads(threads: int) -> Callable[[np.ndarray], object]:
        if not networks:
            networks.append(load_network(path)[0])

        @torch.inference_mode()
        def answer(views: np.ndarray) -> object:
            torch.set_num_threads(threads)
            return networks[0](torch.from_numpy(views))

        return answer

    return with_threads


def main(kind: str, path: str, crop: int) -> None:
    """Load an engine and carry out orders: {"threads", "batch", "repetitions"} -> {"seconds": [...]}."""
    with_threads = {"torch": torch_engine, "onnx": onnx_engine}[kind](path)
    random = np.random.default_rng(0)
    start = time.perf_counter()
    engines = {1: with_threads(1)}
    loaded = time.perf_counter() - start
    engines[1](random.standard_normal((1, 3, crop, crop), dtype=np.float32))
    print(json.dumps({"load_seconds": loaded, "peak_memory_mb": peak_mb()}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        threads = order["threads"]
        if threads not in engines:
            engines[threads] = with_threads(threads)
        views = random.standard_normal((order["batch"], 3, crop, crop), dtype=np.float32)
        seconds = []
        for _ in range(order["repetitions"]):
            start = time.perf_counter()
            engines[threads](views)
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
