"""What a run's final network sees: Grad-CAM, first filters, maps of its stages, and its features on a flat map.

Everything lies in one file, explanations.npz, whose arrays docs/guide.md describes; the figures are drawn from it.
"""

import numpy as np
import pandas as pd
import torch

from florilegium.augment import evaluation_view
from florilegium.checkpoints import load_network
from florilegium.devices import DeviceImages, choose_arithmetic, prepare_process
from florilegium.embedding import flat_map, neighbour_share
from florilegium.explanations import grad_cam
from florilegium.files import written_whole
from florilegium.inference import evaluation_outputs, inference_arithmetic, inference_engine
from florilegium.layers import cam_layer, first_filters, stage_maps
from florilegium.manifest import Manifest
from florilegium.networks import without_head
from florilegium.pixels import Pixels
from florilegium.sampling import evenly_by_class
from florilegium.step import log, run_step

SHOWN = 6  # photographs that were named right, and as many that were named wrong
CHANNELS = 6  # of each stage
FILTERS = 96  # at most: a vision transformer has hundreds


def main(job):
    prepare_process(job.threads)
    network, about = load_network(job.input.checkpoint)
    seed, crop = int(job.wildcards.seed), about["settings"]["test_crop"]
    manifest = Manifest(job.input.manifest, job.input.dataset, seed)
    arithmetic = choose_arithmetic(about["settings"]["precision"])
    rows = manifest.rows("test")

    def photographs(positions):
        return DeviceImages(Pixels(job.input.pixels, rows[positions]), arithmetic.device)

    said = pd.read_csv(job.input.predictions, keep_default_na=False)
    chosen = right_and_wrong(said["correct"].to_numpy(bool), manifest.labels("test"), seed)
    found = heats(network, photographs(chosen), crop, said.iloc[chosen], manifest.class_names)
    found |= {"cam_row": rows[chosen]} | filters(network) | stages(network, photographs(chosen[:1]), crop)
    found["stage_row"] = rows[chosen[:1]]
    sample = evenly_by_class(manifest.labels("test"), job.params.settings["map_images"])
    backbone, images = without_head(network), photographs(sample)
    engine = inference_engine(backbone, inference_arithmetic(backbone, arithmetic, images, crop), crop, len(sample))
    features = evaluation_outputs(engine, images, crop, desc="map").cpu().numpy()
    found |= {
        "map_row": rows[sample],
        "map_place": flat_map(features, seed),
        "map_correct": said["correct"].to_numpy(bool)[sample],
        "map_neighbours": neighbour_share(features, manifest.labels("test")[sample]),
    }
    with written_whole(job.output.explanations) as partial, open(partial, "wb") as stream:
        np.savez_compressed(stream, **found)
    log.info("nearest neighbour of the same class: %.1f %%", 100 * found["map_neighbours"])


def right_and_wrong(correct, labels, seed):
    """Positions of test images, drawn by class and not by what they show: right ones first."""
    picked = []
    for group in (np.flatnonzero(correct), np.flatnonzero(~correct)):
        picked.append(group[evenly_by_class(labels[group], SHOWN, seed)])
    return np.concatenate(picked)


def heats(network, images, crop, said, class_names):
    """Grad-CAM of each photograph for the class that was named, and for its true class."""
    views = evaluation_view(images.batch(torch.arange(len(images))), crop)
    layer, reason = cam_layer(network, views[:1].cpu())
    numbers = {name: label for label, name in enumerate(class_names)}
    found = {"cam_layer": layer or "", "cam_reason": reason}
    for key, column in (("predicted", "predicted"), ("true", "class_name")):
        classes = torch.tensor([numbers[name] for name in said[column]])
        found[f"cam_{key}"] = classes.numpy()
        if layer:
            found[f"heat_{key}"] = grad_cam(network, layer, views, classes, images.device).numpy()
    probabilities = {"probability": "probability", "probability_of_true": "probability_of_class"}
    return found | {f"cam_{key}": said[column].to_numpy(np.float32) for key, column in probabilities.items()}


def filters(network):
    """The first convolution as small pictures; of very many those with the largest weights."""
    weights, text = first_filters(network)
    if weights is None:
        return {"filter_layer": "", "filter_reason": text}
    largest = weights.flatten(1).norm(dim=1).argsort(descending=True, stable=True)[:FILTERS]
    kept = weights[largest.sort().values].numpy()
    return {"filter_layer": text, "filter_reason": "", "filters": kept, "filter_count": len(weights)}


def stages(network, image, crop):
    """Maps of each size, from the input to the output, of one photograph."""
    found = stage_maps(network, evaluation_view(image.batch(torch.arange(1)), crop).cpu(), CHANNELS)
    return {"stage_names": np.array([name for name, _ in found])} | {
        f"stage_{number}": maps.numpy() for number, (_, maps) in enumerate(found)
    }


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
