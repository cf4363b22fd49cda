"""What the final network costs: parameters and multiply-adds; size, speed and memory of torch and every ONNX file."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from florilegium.checkpoints import load_network
from florilegium.engine_costs import MOST, THROUGHPUT_BATCH, measure
from florilegium.files import write_json
from florilegium.onnx_sessions import multiplies_bytes
from florilegium.provenance import hardware
from florilegium.step import log, run_step


def main(job):
    network, about = load_network(job.input.checkpoint)
    crop = about["settings"]["test_crop"]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, crop, crop))
    files = {"torch": job.input.checkpoint, "fp32": job.input.model, "fp16": job.input.half, "int8": job.input.int8}
    threads, processor = max(1, job.threads), hardware()["processor"]
    formats = measure(files, crop, threads)
    cost = {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        # torch counts a multiply-add as two operations; the literature counts it as one.
        "gmacs": counter.get_total_flops() / 2e9,
        "file_mb": formats["fp32"]["file_mb"],
        "latency_ms": formats["fp32"]["p50_ms_1thread"],
        "latency_conditions": f"onnxruntime, batch 1, one thread, {processor}, median of at most {MOST}",
        "formats": formats,
        "conditions": {
            "processor": processor,
            "vnni": multiplies_bytes(),
            "all_threads": threads,
            "throughput_batch": THROUGHPUT_BATCH,
            "pixels": crop,
        },
    }
    write_json(job.output.cost, cost)
    log.info("%.1f M parameters, %.2f GMACs", cost["parameters"] / 1e6, cost["gmacs"])
    for name, found in formats.items():
        log.info(
            "%-5s %6.1f MB, one picture %6.1f ms on one thread, %6.1f ms on %d, %6.1f pictures/s",
            *(name, found["file_mb"], found["p50_ms_1thread"], found["p50_ms_all"], threads, found["throughput"]),
        )


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
