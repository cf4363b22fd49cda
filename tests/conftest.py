"""What every test needs: the library on the path, and the real data when it lies beside the project."""

import os
import shutil
import subprocess
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


class Workflow:
    """A copy of the project in a folder of its own, run through its own Snakefile."""

    def __init__(self, folder):
        """Copy what a clone would hold."""
        self.folder = folder
        listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)

    def snakemake(self, *arguments, config="tests/small.yaml", timeout=900, cores=2):
        """Run Snakemake; returns the finished process with its output as text."""
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--nocolor"]
        command += ["--configfile", config] if config else []
        return subprocess.run(
            [*command, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False
        )

    def planned(self, *arguments, config="tests/small.yaml"):
        """How often each rule would run, as a dict without `all`."""
        done = self.snakemake("--dry-run", "--quiet", "host", *arguments, config=config)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = (done.stdout + done.stderr).splitlines()
        if "Job stats:" not in lines:
            return {}
        table = lines[lines.index("Job stats:") + 3 :]
        rows = [line.split() for line in table[: table.index("")] if line.strip()]
        return {rule: int(count) for rule, count in rows if rule not in ("all", "total")}


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
