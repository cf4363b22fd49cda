"""The driver is told to stop, or killed: its training stops too, or lives on alone, and is never doubled."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

LONG = """
dataset:
  kind: garden
  garden: {species: 4, train: 12, val: 4, test: 2, size: 40}
weights: {default: none}
architectures: [mobilenet_v3_small]
recipes: [long]
recipe_definitions:
  long:
    resize: 40
    crop: 32
    batch_size: 8
    precision: fp32
    early_stopping: {patience: 1000}
    phase1: {epochs: 2}
    phase2: {epochs: EPOCHS}
"""
RUN = "results/runs/long/mobilenet_v3_small/seed42"
LOG = "results/logs/fine_tune/long.mobilenet_v3_small.seed42.log"
LIMIT_SECONDS = 240


def command(*arguments):
    call = [sys.executable, "-m", "snakemake", "--cores", "2", "--nocolor", f"{RUN}/final.pth", *arguments]
    return [*call, "--configfile", "long.yaml"]


def snakemake(workflow, *arguments, **environment):
    done = subprocess.run(
        command(*arguments),
        cwd=workflow.folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def prepare(workflow, epochs):
    """Everything up to phase 2, whose training shall take `epochs` epochs."""
    (workflow.folder / "long.yaml").write_text(LONG.replace("EPOCHS", str(epochs)))
    status, output = snakemake(workflow, "--until", "train_head")
    assert status == 0, output


def driver_in_training(workflow, epoch):
    """A driver whose training has done `epoch` epochs, and that training."""
    with open(workflow.folder / "driver.log", "w") as stream:
        driver = subprocess.Popen(command(), cwd=workflow.folder, stdout=stream, stderr=stream)
    wait_for(lambda: f"epoch {epoch:>2}/" in said(workflow), "the training to begin", workflow)
    (step,) = [p for p in psutil.Process(driver.pid).children(recursive=True) if runs_step(p)]
    return driver, step


def runs_step(process):
    return os.path.basename(process.cmdline()[-1]).endswith("fine_tune.py") and "-c" not in process.cmdline()


def alive(process):
    """Whether it runs: where nobody waits for orphans, an ended one stays listed as a zombie."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def said(workflow):
    path = workflow.folder / LOG
    return path.read_text() if path.exists() else ""


def wait_for(condition, what, workflow):
    limit = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < limit, f"waited for {what}: {(workflow.folder / 'driver.log').read_text()}"
        time.sleep(0.02)


def state(path):
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_told_to_stop_stops_its_training_too(fresh_workflow, number):
    prepare(fresh_workflow, 2000)
    driver, step = driver_in_training(fresh_workflow, 3)
    begun = time.monotonic()
    driver.send_signal(number)  # to the driver alone, unlike Ctrl-C
    assert driver.wait(LIMIT_SECONDS) != 0
    assert time.monotonic() - begun < 15 and not alive(step)
    assert "stopped by SIGTERM: nothing is left half-written" in said(fresh_workflow)
    left = {path.name for path in (fresh_workflow.folder / RUN / "resume").iterdir()}
    assert len(left) == 3 and {"phase1.lock", "phase2.lock"} < left, "the progress"
    driver, step = driver_in_training(fresh_workflow, 5)
    driver.send_signal(number)
    assert driver.wait(LIMIT_SECONDS) != 0, "no lock of Snakemake was left, it started again"
    assert "after the epochs kept in" in said(fresh_workflow).splitlines()[1]


def test_a_training_that_outlives_its_driver_is_not_doubled(fresh_workflow, capsys):
    prepare(fresh_workflow, 40)
    driver, step = driver_in_training(fresh_workflow, 2)
    os.kill(step.pid, signal.SIGSTOP)  # it lives as long as the test wants
    try:
        driver.kill()
        driver.wait()
        status, output = snakemake(fresh_workflow)
        assert status != 0 and "--unlock" in output
        assert snakemake(fresh_workflow, "--unlock")[0] == 0
        status, output = snakemake(fresh_workflow, FLORILEGIUM_LOCK_WAIT="1")
        assert status != 0
        assert f"phase2.lock is held by process {step.pid} on" in said(fresh_workflow)
        assert f"or end it (kill {step.pid} on" in said(fresh_workflow).splitlines()[-1]
    finally:
        os.kill(step.pid, signal.SIGCONT)
    status, output = snakemake(fresh_workflow, FLORILEGIUM_LOCK_WAIT=str(LIMIT_SECONDS))
    assert status == 0, output
    folder = fresh_workflow.folder / RUN
    both = [state(folder / name) for name in ("phase2_best.pth", "final.pth")]
    assert not alive(step) and sorted(os.listdir(folder / "resume")) == ["phase1.lock", "phase2.lock"]
    for name in ("phase2_best.pth", "final.pth", "history_phase2.csv"):
        (folder / name).unlink()
    status, output = snakemake(fresh_workflow)
    assert status == 0, output
    for before, name in zip(both, ("phase2_best.pth", "final.pth"), strict=True):
        assert all(torch.equal(tensor, before[key]) for key, tensor in state(folder / name).items())
    with capsys.disabled():
        print("\nsecond copies: 1 refused, 1 waited; files compared with a training of its own:", len(both))
