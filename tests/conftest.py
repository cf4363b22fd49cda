"""What every test needs: the library on the path, and the real data when it lies beside the project."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(ROOT / "scripts"))


def skip_or_fail(reason):
    """Skip on a user's machine, which may lack something; in CI everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(f"not available in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def flowers102():
    """The folder of the real photographs."""
    folder = SHARED / "flowers-102"
    if not (folder / "jpg").is_dir():
        skip_or_fail(f"real photographs are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def mobilenet_weights():
    """The real ImageNet weights of MobileNetV2's backbone."""
    path = SHARED / "weights" / "mobilenet_v2-imagenet.pth"
    if not path.exists():
        skip_or_fail(f"real weights are not at {path}")
    return path
