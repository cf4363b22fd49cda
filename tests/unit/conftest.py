"""What several unit tests need: few threads, small photographs, a small recipe, drawn flowers as pixels."""

import copy
import os
from pathlib import Path

# Before torch is imported: threads that sleep while they wait, so that other work on the machine does not stall them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from florilegium.configuration import complete, run_settings

torch.set_num_threads(2)
ROOT = Path(__file__).parents[2]

# A recipe that learns drawn flowers in seconds.
SMALL = {
    "resize": 40,
    "crop": 32,
    "augmentation": {"rotation": 10, "hue": 0.02},
    "batch_size": 8,
    "precision": "fp32",
    "phase1": {"epochs": 2, "learning_rate": 0.01},
    "phase2": {"epochs": 2, "backbone_learning_rate": 0.001, "head_learning_rate": 0.002},
}


@pytest.fixture(scope="session")
def project():
    """The folder of the project."""
    return ROOT


@pytest.fixture
def config():
    """A fresh copy of config.yaml, as written."""
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def settings():
    """The small recipe with its defaults, for resnet18; a test may change its copy."""
    config = {
        "dataset": {"kind": "garden"},
        "recipes": ["small"],
        "architectures": ["resnet18"],
        "seeds": [0],
        "weights": {"default": "none"},
        "recipe_definitions": {"small": copy.deepcopy(SMALL)},
    }
    return run_settings(complete(config), "small", "resnet18")


@pytest.fixture
def photograph():
    """A function that writes a small picture of random colours, different for each `number`."""

    def write(path, number=0, size=(24, 20), **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(colours).save(path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def mats(tmp_path_factory):
    """Photographs 0 … n-1 of two classes as a pixel file: light and dark patches, which any network can learn."""
    path = tmp_path_factory.mktemp("pixels") / "pixels.npy"
    rng = np.random.default_rng(0)
    labels = np.arange(32) % 2
    array = rng.integers(0, 120, (32, 40, 40, 3)) + 130 * labels[:, None, None, None]
    np.save(path, array.astype(np.uint8))
    return path, labels


class SmallNetwork(torch.nn.Module):
    """What the networks of the course are made of, in small: stem, depthwise, squeeze-excitation, residual, pooling."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.SiLU())
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.SiLU())
        self.excite = nn.Sequential(nn.Conv2d(4, 16, 1), nn.Sigmoid())
        self.project = nn.Sequential(nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(16, 5)

    def forward(self, views):
        first = self.stem(views)
        inner = self.depthwise(first)
        inner = inner * self.excite(self.squeeze(inner))
        return self.head(self.pool(first + self.project(inner)).flatten(1))


@pytest.fixture(scope="session")
def views():
    """64 views of 32 pixels: smooth colours, as photographs have."""
    coarse = torch.randn(64, 3, 5, 5, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear").numpy()


@pytest.fixture(scope="session")
def small_onnx():
    """A small network with lively BatchNorm statistics, and its fp32 export for views of 32 pixels."""
    from florilegium.onnx_export import to_onnx
    from florilegium.onnx_variants import tidied

    torch.manual_seed(3)
    network = SmallNetwork().eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_var.uniform_(0.2, 0.6)
            layer.running_mean.uniform_(-0.2, 0.2)
    with torch.no_grad():
        network.head.weight.mul_(5)
    return network, tidied(to_onnx(network, 32))
