"""Export the final network to ONNX: fp32, fp16, and with its preprocessing inside; gated on the validation images."""

import numpy as np
import onnxruntime
import torch

from florilegium.checkpoints import load_network
from florilegium.devices import DeviceImages
from florilegium.errors import UserError
from florilegium.files import read_json, write_json, written_whole
from florilegium.manifest import Manifest
from florilegium.onnx_export import to_onnx
from florilegium.onnx_files import as_service, describe, save, temperature
from florilegium.onnx_gate import Gate, logits_of, session_answer
from florilegium.onnx_sessions import cpu_session
from florilegium.onnx_variants import tidied, to_fp16, with_fp16_weights, with_preprocessing
from florilegium.pixels import Pixels
from florilegium.service_gate import Answers, compared_with_service
from florilegium.step import log, run_step


def main(job):
    torch.set_num_threads(max(1, job.threads))
    network, about = load_network(job.input.checkpoint)
    metrics, seed = read_json(job.input.metrics), int(job.wildcards.seed)
    crop, mode, train_on = (about["settings"][key] for key in ("test_crop", "resize_mode", "train_on"))
    manifest = Manifest(job.input.manifest, job.input.dataset, seed, train_on)
    images = DeviceImages(Pixels(job.input.pixels, manifest.rows("val")), torch.device("cpu"))
    reference = logits_of(torch_answer(network), images, crop)
    gate = Gate(reference, images, manifest.labels("val"), crop, job.threads)
    fp32 = tidied(to_onnx(network, crop))
    formats = {"fp32": gate("fp32", fp32)}
    refuse(job.output.model, formats["fp32"]["reason"])
    fp16, formats["fp16"] = half_precision(fp32, gate)
    service = with_preprocessing(fp32, crop, mode, temperature(metrics))
    paths = manifest.images("val")["path"].tolist()
    plain = session_answer(cpu_session(fp32, job.threads))
    answers = Answers(plain, gate.logits["fp32"], temperature(metrics))
    found = compared_with_service(answers, cpu_session(service, job.threads), images, paths, crop, mode)
    refuse(job.output.service, found.pop("reason"))
    texts = describe(about, metrics)
    save(job.output.model, fp32, texts, "fp32")
    save(job.output.half, fp16, texts, "fp16", formats["fp16"]["reason"])
    save(job.output.service, service, as_service(texts), "service")
    with written_whole(job.output.logits) as partial, open(partial, "wb") as stream:
        np.savez(stream, torch=reference)
    difference = float(np.abs(reference - gate.logits["fp32"]).max())
    write_json(job.output.check, check(formats, difference, manifest.validates) | {"service": found})
    for name, result in formats.items():
        log.info("%s agrees on %.2f %% of %d images", name, 100 * result["top1_agreement"], result["images"])


def half_precision(fp32, gate):
    """The fp16 model and what the gate found of it: in 16-bit arithmetic, or else with 16-bit weights only."""
    for made_with, make in (("16-bit arithmetic", to_fp16), ("16-bit weights", with_fp16_weights)):
        model = make(fp32)
        found = gate("fp16", model)
        log.info("fp16, %s: agrees on %.2f %%", made_with, 100 * found["top1_agreement"])
        if found["recommended"]:
            break
    return model, found | {"made_with": made_with}


def torch_answer(network):
    """Torch in fp32 as a function from views to logits."""

    @torch.inference_mode()
    def answer(views):
        return network(torch.from_numpy(views)).numpy()

    return answer


def refuse(path, reason):
    """End the step when a file is not the network that was trained."""
    if reason:
        raise UserError(f"{path}: {reason}, so the file is not written")


def check(formats, difference, validates):
    """What was found, as onnx_check.json holds it."""
    fp32 = formats["fp32"]
    return {
        "images": fp32["images"],
        "images_are": "validation" if validates else "validation, which trained this run, too (train + val)",
        "top1_agreement": fp32["top1_agreement"],
        "max_abs_logit_difference": difference,
        "val_top1_torch": fp32["top1_torch"],
        "val_top1_onnx": fp32["top1"],
        "onnxruntime": onnxruntime.__version__,
        "formats": formats,
    }


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
