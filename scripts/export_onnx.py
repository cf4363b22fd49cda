"""Export the final network to one ONNX file and let it pass only if onnxruntime agrees on the validation images."""

import json

import numpy as np
import onnx
import onnxruntime
import torch

from florilegium.augment import MEAN, STD, evaluation_view
from florilegium.checkpoints import load_network
from florilegium.devices import DeviceImages, prepare_process
from florilegium.errors import UserError
from florilegium.files import write_json, written_whole
from florilegium.inference import batches, cpu_session
from florilegium.manifest import Manifest
from florilegium.onnx_export import INPUT, to_onnx
from florilegium.pixels import Pixels
from florilegium.step import log, run_step

AGREEMENT = 0.999  # share of validation images on which torch and onnxruntime must name the same class


def main(job):
    prepare_process(job.threads)
    network, about = load_network(job.input.checkpoint)
    crop = about["settings"]["crop"]
    model = to_onnx(network, crop)
    onnx.helper.set_model_props(model, description(about))
    onnx.checker.check_model(model, full_check=True)
    manifest = Manifest(job.input.manifest, job.input.dataset, int(job.wildcards.seed))
    images = DeviceImages(Pixels(job.input.pixels, manifest.rows("val")), torch.device("cpu"))
    found = compare(network, cpu_session(model), images, crop, manifest.labels("val"))
    if found["top1_agreement"] < AGREEMENT:
        raise UserError(
            f"{job.output.model}: onnxruntime and torch agree on {100 * found['top1_agreement']:.2f} % of the "
            f"{len(images)} validation images; expected at least {100 * AGREEMENT:.1f} %, so the file is not written"
        )
    with written_whole(job.output.model) as partial:
        onnx.save(model, partial)
    write_json(job.output.check, found)
    log.info("agrees on %.2f %% of %d images", 100 * found["top1_agreement"], len(images))


def description(about):
    """What the file says of itself: classes by index, what to do to a picture first, and where it comes from."""
    crop = about["settings"]["crop"]
    preprocessing = {
        "input": f"RGB, squashed to {crop} x {crop} pixels with antialiased bilinear resampling, scaled to 0 … 1, CHW",
        "size": crop,
        "mean": MEAN,
        "std": STD,
    }
    keys = ("recipe", "architecture", "seed", "weights", "pretrained", "val_top1", "seconds", "settings", "provenance")
    record = {key: about[key] for key in keys}
    texts = {"class_names": about["class_names"], "preprocessing": preprocessing, "run": record}
    return {"producer": "florilegium"} | {key: json.dumps(value, ensure_ascii=False) for key, value in texts.items()}


@torch.inference_mode()
def compare(network, session, images, crop, labels):
    """Torch and onnxruntime, both fp32, on the same views."""
    logits = {"torch": [], "onnx": []}
    for index in batches(images):
        views = evaluation_view(images.batch(index), crop)
        logits["torch"].append(network(views).numpy())
        logits["onnx"].append(session.run(None, {INPUT: views.numpy()})[0])
    both = {name: np.concatenate(parts) for name, parts in logits.items()}
    same = both["torch"].argmax(1) == both["onnx"].argmax(1)
    return {
        "images": len(images),
        "top1_agreement": float(same.mean()),
        "max_abs_logit_difference": float(np.abs(both["torch"] - both["onnx"]).max()),
        "val_top1_torch": float((both["torch"].argmax(1) == labels).mean()),
        "val_top1_onnx": float((both["onnx"].argmax(1) == labels).mean()),
        "onnxruntime": onnxruntime.__version__,
    }


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
