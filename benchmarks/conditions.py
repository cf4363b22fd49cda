"""Under which conditions a run of the benchmark measured, and how its numbers come about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs import BARRED, EPOCHS, SPLIT, Plan

from florilegium.provenance import hardware, versions

if TYPE_CHECKING:
    from report import Findings


def conditions(found: Findings, plan: Plan, weights: str, drawn: bool) -> str:
    machine, packages = hardware(), versions()
    photographs = "drawn flowers" if drawn else "the photographs of `--root`"
    named = "random weights" if weights == "none" else "ImageNet weights from a file"
    step = next(iter(found.steps.values()))["kept"][0]
    lines = [
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}.",
        "- Versions: " + ", ".join(f"{name} {version}" for name, version in packages.items()) + ".",
        f"- Images: {photographs}; {found.photographs} through the pixels.",
        f"- Weights: MobileNetV2 {named}; the other networks random ones with settled BatchNorm statistics, the same "
        "for both sides (time does not depend on what a network has learned; no accuracy is claimed here).",
        f"- Ours computes in {step['arithmetic']}, chosen by the recipe's `precision: auto`.",
        f"- Repetitions: {plan.repetitions} of each comparison, the two sides in turns; a row is the repetition whose "
        "ratio is the median.",
        f"- The run took {found.minutes:.0f} minutes; load average {found.load[0]:.1f} at its start, "
        f"{found.load[1]:.1f} at its end (it keeps all cores busy itself).",
    ]
    return "\n".join(lines)


def method(plan: Plan) -> str:
    """How the numbers come about."""
    few, others, epochs = plan.images, plan.others, EPOCHS["phase1"]
    lines = [
        f"- {' and '.join(BARRED)}: {few['train']} training, {few['val']} validation and {few['test']} test images for "
        f"each pass; the other networks {others['train']} and {others['val']}, once; evenly over the split. "
        "Phase 1 with evaluation and phase 2 run in processes of their own.",
        "- Both sides see the same images in the same sizes and batches. A pass is split into what is fixed (workers "
        "starting and the first batch for the course's way; export of the engine and folding of BatchNorm for ours) "
        f"and its steady part; the steady part is scaled to {SPLIT['train']} training, {SPLIT['val']} validation and "
        f"{SPLIT['test']} test images. So short passes favour the course's way: its workers fill their queue while "
        "the first batch computes, and those batches then cost it no decoding.",
        f"- `phase1` is {epochs} epochs: of the course's way one epoch is measured and taken {epochs} times; of ours "
        f"the engine once, the views of {plan.phase1_epochs} epochs scaled to {epochs}, validation features once, and "
        "the head's training.",
        f"- `phase2_epoch` is training and validation of one epoch. `whole_lesson` is {epochs} + {EPOCHS['phase2']} "
        "epochs of all architectures without early stopping, with the start of the processes, and for ours the pixels "
        "of the whole dataset at all sizes; it is an estimate from the measured epochs.",
        "- `peak_memory` is of the process of phase 2 with its workers: the largest sum of proportional set sizes, "
        "sampled five times a second, or the kernel's high-water mark of the main process if that is larger.",
        f"- `peak_memory_growth`: training on {plan.memory_images} and {10 * plan.memory_images} images with views of "
        "64 pixels, so that pixels that stay in memory would weigh against a small network.",
        "- `gemm_share`: three times the forward pass's operations (torch.utils.flop_counter, a multiply-add is two) "
        "over the step's time without augmentation, against a product of 2048 × 2048 matrices in the same format.",
    ]
    return "## How it is measured\n\n" + "\n".join(lines)
