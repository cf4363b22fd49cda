"""What the final network costs: parameters, multiply-adds, file size, latency of one picture."""

import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from florilegium.checkpoints import load_network
from florilegium.files import write_json
from florilegium.inference import cpu_session
from florilegium.onnx_export import INPUT
from florilegium.provenance import hardware
from florilegium.step import log, run_step

REPETITIONS, WARM_UP = 50, 5


def main(job):
    network, about = load_network(job.input.checkpoint)
    crop = about["settings"]["crop"]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, crop, crop))
    cost = {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        # torch counts a multiply-add as two operations; the literature counts it as one.
        "gmacs": counter.get_total_flops() / 2e9,
        "file_mb": Path(job.input.model).stat().st_size / 1e6,
        "latency_ms": latency(job.input.model, crop),
        "latency_conditions": f"onnxruntime, batch 1, one thread, {hardware()['processor']}, median of {REPETITIONS}",
    }
    write_json(job.output.cost, cost)
    log.info("%.1f M parameters, %.2f GMACs, %.1f ms", cost["parameters"] / 1e6, cost["gmacs"], cost["latency_ms"])


def latency(model, crop):
    """Median milliseconds of one picture through the ONNX file on one thread."""
    session = cpu_session(model, threads=1)
    picture = np.zeros((1, 3, crop, crop), dtype=np.float32)
    seconds = []
    for _ in range(WARM_UP + REPETITIONS):
        start = time.perf_counter()
        session.run(None, {INPUT: picture})
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds[WARM_UP:]))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
