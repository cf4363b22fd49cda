"""Faults outside of training, through the real steps: downloads, hostile files, changed photographs, two terminals."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from test_refusals import photographs

from faulty_server import Server, broken_off, corrupted, silent, status

WEIGHTS = "resources/weights/resnet18-IMAGENET1K_V1.pth"


@pytest.fixture
def mirror(monkeypatch):
    """A function that starts a server with these answers and makes it the mirror of all downloads."""
    servers = []

    def start(*answers):
        servers.append(Server(*answers))
        monkeypatch.setenv("FLORILEGIUM_MIRROR", servers[-1].url.rsplit("/", 1)[0])
        return servers[-1]

    monkeypatch.setenv("FLORILEGIUM_TIMEOUT", "0.5")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield start
    for server in servers:
        server.stop()


def step(folder, name, **groups):
    """Run one step's script alone, as its documentation says; returns the process and its lines with `error:`."""
    words = [part for group, pairs in groups.items() for part in (f"--{group}", *pairs)]
    command = [sys.executable, f"scripts/{name}.py", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    return done, [line for line in done.stderr.splitlines() if "error: " in line]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(404), "404 Not Found"),
        (status(500), "500 Internal Server Error"),
        (corrupted, "instead of f37072fd"),
        (broken_off, "IncompleteRead"),
        (silent, "timed out"),
    ],
    ids=["404", "500", "corrupted", "broken off", "silent"],
)
def test_a_download_that_fails_ends_in_one_line_and_leaves_no_result(fresh_workflow, mirror, answer, reason):
    server = mirror(answer)
    wildcards = ("architecture=resnet18", "entry=IMAGENET1K_V1")
    done, lines = step(fresh_workflow.folder, "download_weights", output=[f"weights={WEIGHTS}"], wildcards=wildcards)
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    for part in (
        reason,
        f"{server.url.rsplit('/', 1)[0]}/resnet18-f37072fd.pth",
        "sha256 f37072fd…",
        f"put it at {WEIGHTS}",
    ):
        assert part in lines[0]
    left = os.listdir((fresh_workflow.folder / WEIGHTS).parent)
    assert left == ([f".{os.path.basename(WEIGHTS)}.part"] if answer is broken_off else [])


def test_the_workflow_says_in_seconds_which_files_belong_where(fresh_workflow, mirror):
    mirror(status(404))
    done = fresh_workflow.snakemake("results/data/manifest.csv", config=None)
    output = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in output
    for part in ("404 Not Found", "102flowers.tgz (md5 5280", "imagelabels.mat (md5", "resources/flowers-102"):
        assert part in output


class Hostile:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_hostile_weights_of_the_configuration_do_not_run(small_run, tmp_path):
    torch.save({"features.0.0.weight": Hostile(f"touch {tmp_path}/trace")}, tmp_path / "hostile.pth")
    target = "results/runs/tiny/mobilenet_v2/seed43/phase1_best.pth"
    done = small_run.snakemake(target, "--config", "seeds=[43]", f"weights={{default: '{tmp_path}/hostile.pth'}}")
    output = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in output
    assert f"{tmp_path}/hostile.pth cannot be read as a state dict (it asks for posix.system, which is code" in output
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", ["evaluate", "export_onnx", "measure_cost"])
def test_a_hostile_checkpoint_does_not_run(small_run, tmp_path, name):
    torch.save({"state_dict": {}, "metadata": Hostile(f"touch {tmp_path}/trace")}, tmp_path / "final.pth")
    run = "results/runs/tiny/mobilenet_v2/seed42"
    given = (
        f"checkpoint={tmp_path}/final.pth",
        "manifest=results/data/manifest.csv",
        "dataset=results/data/dataset.json",
        "pixels=results/data/pixels_40.npy",
        f"metrics={run}/metrics.json",
        f"model={run}/model.onnx",
    )
    done, lines = step(small_run.folder, name, input=given, output=[f"model={tmp_path}/model.onnx"])
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    assert f"{tmp_path}/final.pth cannot be read as a state dict (it asks for posix.system" in lines[0]
    assert os.listdir(tmp_path) == ["final.pth"]


@pytest.fixture
def listed(fresh_workflow, tmp_path):
    """A workflow on a folder of photographs whose manifest is made; a photograph; and a function that makes pixels."""
    folder = photographs(tmp_path / "photos")
    text = (
        (fresh_workflow.folder / "tests" / "small.yaml")
        .read_text()
        .replace("kind: garden", f"kind: folder\n  root: '{folder}'")
    )
    (fresh_workflow.folder / "photos.yaml").write_text(text)

    def make(target):
        done = fresh_workflow.snakemake(f"results/data/{target}", config="photos.yaml")
        return done.returncode, done.stdout + done.stderr

    assert make("manifest.csv")[0] == 0
    return folder / "train" / "red rose" / "Bild 1 ä.jpg", make


@pytest.mark.parametrize("change", ["deleted", "replaced", "truncated"])
def test_a_photograph_that_changed_since_the_manifest_is_refused_by_name(fresh_workflow, listed, change):
    path, make = listed
    content = path.read_bytes()
    if change == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.with_name("Bild 2 ä.jpg").read_bytes() if change == "replaced" else content[:-9])
    data = "results/data"
    done, lines = step(  # alone: the workflow would list the folder again first
        fresh_workflow.folder,
        "pixels",
        input=[f"manifest={data}/manifest.csv", f"dataset={data}/dataset.json"],
        output=[f"pixels={data}/pixels_40.npy"],
        wildcards=["square=40"],
    )
    assert done.returncode == 1 and len(lines) == 1
    assert f"dataset: {path} {'was in the manifest but' if change == 'deleted' else 'is not the picture'}" in lines[0]
    assert not (fresh_workflow.folder / data / "pixels_40.npy").exists()
    if change != "replaced":  # put back, or listed anew by the next run
        path.write_bytes(content)
    code, output = make("pixels_40.npy")
    assert code == 0, output


def until(condition, seconds=120):
    for _ in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("waited in vain")


def test_a_second_terminal_is_refused_and_damages_nothing(fresh_workflow):
    folder = fresh_workflow.folder
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "results/data/pixels_40.npy"]
    with open(folder / "first.log", "w") as log:
        first = subprocess.Popen(
            [*command, "--configfile", "tests/small.yaml"], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: any((folder / ".snakemake" / "locks").glob("*")))
        first.send_signal(signal.SIGSTOP)  # so that it holds its lock for as long as the second one needs
        second = fresh_workflow.snakemake("results/data/pixels_40.npy")
        assert second.returncode != 0
        assert "Directory cannot be locked" in second.stdout + second.stderr
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=300) == 0, (folder / "first.log").read_text()
    again = fresh_workflow.snakemake("results/data/pixels_40.npy")
    assert again.returncode == 0 and "Nothing to be done" in again.stdout + again.stderr


def test_a_lock_left_by_a_killed_workflow_is_opened_with_unlock(fresh_workflow):
    locks = fresh_workflow.folder / ".snakemake" / "locks"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "tests/small.yaml"]
    first = subprocess.Popen(command, cwd=fresh_workflow.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: any(locks.glob("*")))
    first.kill()
    first.wait()
    refused = fresh_workflow.snakemake("results/data/garden")
    assert refused.returncode != 0 and "--unlock" in refused.stdout + refused.stderr
    assert fresh_workflow.snakemake("--unlock").returncode == 0
    shutil.rmtree(fresh_workflow.folder / "results" / "data", ignore_errors=True)
    done = fresh_workflow.snakemake("results/data/garden")
    assert done.returncode == 0, done.stdout + done.stderr


GUARD = """
import os, socket, sys

listen = socket.socket.listen

def watched(self, *arguments):
    if self.family != socket.AF_UNIX:
        with open(os.environ["HEARD"], "a") as stream:
            print(sys.argv, self.getsockname(), file=stream)
    return listen(self, *arguments)

socket.socket.listen = watched
"""


def test_nothing_listens_on_a_port(fresh_workflow, tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("guard")
    (folder / "sitecustomize.py").write_text(GUARD)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("HEARD", str(folder / "heard"))
    done = fresh_workflow.snakemake("results/runs/tiny/mobilenet_v2/seed42/phase1_best.pth")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (folder / "heard").exists(), (folder / "heard").read_text()
    server = "import socket; socket.create_server(('127.0.0.1', 0))"
    subprocess.run([sys.executable, "-c", server], check=True)
    assert "127.0.0.1" in (folder / "heard").read_text(), "the guard sees it when somebody does"
