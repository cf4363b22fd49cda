"""A disk that fills up in the middle of a write, for every kind of file that a run makes; a real, small disk."""

import hashlib
import os
import subprocess

import pytest

from support import Workflow, skip_or_fail

RUN = "results/runs/tiny/mobilenet_v2/seed42"
# What is made, in order, and how many bytes are left on the disk: enough to begin with the file, not to end it.
STEPS = {
    "results/data/garden": 40_000,
    "results/data/manifest.csv": 8_192,
    "results/data/pixels_40.npy": 100_000,
    f"{RUN}/features/train.npy": 100_000,
    f"{RUN}/phase1_best.pth": 1_000_000,
    f"{RUN}/final.pth": 1_000_000,
    f"{RUN}/metrics.json": 8_192,
    f"{RUN}/model.onnx": 1_000_000,
    f"{RUN}/model.int8.onnx": 1_000_000,
}
NO_RESULTS = {"ballast", "logs", "benchmarks", "resume"}


@pytest.fixture
def small_disk(tmp_path):
    """A fresh workflow whose results lie on a file system of 160 MB."""
    workflow = Workflow(tmp_path)
    results = tmp_path / "results"
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "florilegium-test", str(results)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        skip_or_fail(f"a small file system needs the right to mount one: {done.stderr.strip()}")
    yield workflow
    subprocess.run(["umount", "--lazy", str(results)], check=True)


def fill(ballast, leave):
    """Write a file until `leave` bytes are left on its disk."""
    status = os.statvfs(ballast.parent)
    with open(ballast, "wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, status.f_bavail * status.f_frsize - leave)


def digests(results):
    """sha256 of every result."""
    files = (path for path in results.rglob("*") if path.is_file())
    made = (path for path in files if not NO_RESULTS & {*path.relative_to(results).parts})
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in made}


def test_a_full_disk_is_named_costs_no_earlier_file_and_the_next_run_completes(small_disk):
    results = small_disk.folder / "results"
    options = ("--config", "architectures=[mobilenet_v2]")
    compared = 0
    for target, leave in STEPS.items():
        before = digests(results)
        fill(results / "ballast", leave)
        done = small_disk.snakemake(target, *options)
        output = done.stdout + done.stderr
        assert done.returncode != 0, target
        lines = {line.split("error: ")[1] for line in output.splitlines() if " error: " in line}
        assert len(lines) == 1 and "no space left on its disk" in lines.pop(), output
        assert "Traceback" not in output and "Logging error" not in output, output
        assert digests(results) == before, target
        (results / "ballast").unlink()
        done = small_disk.snakemake(target, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        after = digests(results)
        assert {path: after.get(path) for path in before} == before
        compared += 2 * len(before)
        assert (small_disk.folder / target).exists()
    assert [path for path in results.rglob("*") if ".partial" in path.name] == []
    print(f"{len(STEPS)} full disks survived, {compared} times a file compared")
