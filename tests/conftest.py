"""Fixtures of several folders: the real data when it lies beside the project, and one small finished run."""

import pytest

from support import SHARED, Workflow, skip_or_fail


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


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """A finished run of tests/small.yaml with its report; tests must leave its results as they are."""
    workflow = Workflow(tmp_path_factory.mktemp("workflow"))
    done = workflow.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    done = workflow.snakemake("--report", "results/report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    return workflow


@pytest.fixture
def fresh_workflow(tmp_path):
    """A copy of the project in which nothing has run yet."""
    return Workflow(tmp_path)
