"""The course's way, as its notebooks train: per-image transforms in a DataLoader, fp32, the frozen network every epoch.

It imports nothing of florilegium, so that the comparison cannot borrow from it. One JSON line says how long each pass
took: `seconds` of the whole pass over `images`, and of these `fixed` seconds until the first `fixed_images` were done
(workers start, the pipeline fills), so that a pass over more images can be estimated from its steady part.

    python benchmarks/course_way.py --root ../shared/flowers-102 --architecture resnet18 --parts phase1 phase2
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import torch
from peak_memory import PeakMemory
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import datasets, models, transforms

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LESSON = {"resize": 256, "crop": 224, "batch": 32, "dropout": None}
OTHERS = {"efficientnet_b3": {"resize": 320, "crop": 300, "batch": 24, "dropout": 0.3}}
PARTS = ("phase1", "phase2", "evaluation")


def photographs(root: Path, split: str, transform: transforms.Compose | None = None) -> Dataset:
    """A split of Flowers102 (the folder with jpg/, or its parent) or of a folder train/val/test/<class>/."""
    if (root / split).is_dir():
        return datasets.ImageFolder(str(root / split), transform)
    parent = root.parent if (root / "jpg").is_dir() else root
    return datasets.Flowers102(str(parent), split, transform=transform, download=False)


def chosen(dataset: Dataset, limit: int) -> list[int]:
    """Positions of `limit` images, evenly over the split sorted by path: every class has its share."""
    paths = files(dataset)
    order = sorted(range(len(paths)), key=lambda place: paths[place])
    limit = min(limit, len(order))
    return [order[place * len(order) // limit] for place in range(limit)]


def files(dataset: Dataset) -> list[str]:
    """The paths of a dataset of `photographs`."""
    if isinstance(dataset, datasets.ImageFolder):
        return [path for path, _ in dataset.samples]
    return [str(path) for path in dataset._image_files]


def labels(dataset: Dataset) -> list[int]:
    """The labels of a dataset of `photographs`."""
    return list(dataset.targets) if isinstance(dataset, datasets.ImageFolder) else list(dataset._labels)


def transform_of(train: bool, resize: int, crop: int) -> transforms.Compose:
    """The course's transforms of one image."""
    if train:
        first = [
            transforms.Resize((resize, resize)),
            transforms.RandomCrop(crop),
            transforms.RandomHorizontalFlip(0.5),
            transforms.RandomRotation(15),
            transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
        ]
    else:
        first = [transforms.Resize((crop, crop)), transforms.CenterCrop(crop)]
    return transforms.Compose([*first, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])


def loader(root: Path, split: str, limit: int, settings: dict) -> DataLoader:
    """Batches of a split, decoded and transformed by as many workers as there are cores."""
    train = split == "train"
    dataset = photographs(root, split, transform_of(train, settings["resize"], settings["crop"]))
    part = Subset(dataset, chosen(dataset, limit))
    return DataLoader(part, batch_size=settings["batch"], shuffle=train, num_workers=os.cpu_count() or 1)


def build(architecture: str, classes: int, weights: str, dropout: float | None) -> tuple[nn.Module, nn.Linear]:
    """The network with a new head, and the head."""
    network = models.get_model(architecture, weights=None)
    if weights != "none":
        state = torch.load(weights, map_location="cpu", weights_only=True)
        fitting = {key: value for key, value in state.items() if not key.startswith(("fc.", "classifier."))}
        network.load_state_dict(fitting, strict=False)
    if hasattr(network, "fc"):
        network.fc = head = nn.Linear(network.fc.in_features, classes)
        return network, head
    head = nn.Linear(network.classifier[-1].in_features, classes)
    network.classifier[-1] = head
    if dropout is not None:
        network.classifier[0].p = dropout
    return network, head


def one_pass(network: nn.Module, batches: DataLoader, optimizer: torch.optim.Optimizer | None = None) -> dict:
    """One pass over the images, training when there is an optimizer; how long it took."""
    network.train(optimizer is not None)  # in phase 1 too: BatchNorm of the frozen backbone drifts, as in the course
    criterion = nn.CrossEntropyLoss()
    start, done, loss_sum, correct = time.perf_counter(), [], 0.0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for images, targets in batches:
            if optimizer is not None:
                optimizer.zero_grad()
            logits = network(images)
            loss = criterion(logits, targets)
            if optimizer is not None:
                loss.backward()
                optimizer.step()
            loss_sum += loss.item() * len(targets)
            correct += (logits.argmax(1) == targets).sum().item()
            done.append((len(targets), time.perf_counter() - start))
    count = sum(images for images, _ in done)
    return {
        "images": count,
        "seconds": done[-1][1],
        "fixed_images": done[0][0] if len(done) > 1 else 0,
        "fixed": done[0][1] if len(done) > 1 else 0.0,
        "loss": loss_sum / count,
        "top1": correct / count,
    }


def epochs(network: nn.Module, batches: dict, optimizer: torch.optim.Optimizer, count: int) -> dict[str, list]:
    """`count` epochs of training and validation, StepLR after each."""
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.1)
    passes: dict[str, list] = {"train": [], "val": []}
    for _ in range(count):
        passes["train"].append(one_pass(network, batches["train"], optimizer))
        passes["val"].append(one_pass(network, batches["val"]))
        schedule.step()
    return passes


def phase1(network: nn.Module, head: nn.Linear, batches: dict, count: int) -> dict[str, list]:
    """The head alone learns; the frozen backbone computes every epoch."""
    for parameter in network.parameters():
        parameter.requires_grad = False
    for parameter in head.parameters():
        parameter.requires_grad = True
    return epochs(network, batches, torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.01), count)


def phase2(network: nn.Module, head: nn.Linear, batches: dict, count: int) -> dict[str, list]:
    """Everything learns, the backbone ten times slower than the head."""
    for parameter in network.parameters():
        parameter.requires_grad = True
    own = {id(parameter) for parameter in head.parameters()}
    backbone = [parameter for parameter in network.parameters() if id(parameter) not in own]
    groups = [{"params": backbone, "lr": 1e-4}, {"params": list(head.parameters()), "lr": 1e-3}]
    return epochs(network, batches, torch.optim.AdamW(groups, weight_decay=0.01), count)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="Flowers102, or a folder train/val/test/<class>/")
    parser.add_argument("--architecture", default="mobilenet_v2", help="torchvision's name")
    parser.add_argument("--weights", default="none", help="a state dict, or none")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    for split in ("train", "val", "test"):
        parser.add_argument(f"--{split}", type=int, default=10**6, help=f"at most this many {split} images")
    parser.add_argument("--epochs", type=int, default=1, help="epochs of each phase")
    for key in ("resize", "crop", "batch"):
        parser.add_argument(f"--{key}", type=int, help="instead of the course's own value")
    return parser.parse_args()


def main() -> None:
    memory, given = PeakMemory(), arguments()
    torch.manual_seed(42)
    settings = LESSON | OTHERS.get(given.architecture, {})
    settings |= {key: getattr(given, key) for key in ("resize", "crop", "batch") if getattr(given, key)}
    classes = len(set(labels(photographs(given.root, "train"))))
    network, head = build(given.architecture, classes, given.weights, settings["dropout"])
    batches = {split: loader(given.root, split, getattr(given, split), settings) for split in ("train", "val", "test")}
    record: dict = {"architecture": given.architecture}
    for phase, run in (("phase1", phase1), ("phase2", phase2)):
        if phase in given.parts:
            record[phase] = run(network, head, batches, given.epochs)
    if "evaluation" in given.parts:
        record["evaluation"] = {"test": [one_pass(network, batches["test"])]}
    for passes in (record.get(part, {}) for part in PARTS):
        for one in (one for several in passes.values() for one in several):
            one["images_per_second"] = one["images"] / one["seconds"]
    print(json.dumps(record | {"peak_memory_gib": memory.gib()}))


if __name__ == "__main__":
    main()
