"""A step that is told to stop ends with one line, its workers with it, and leaves no half of a file."""

import os
import signal
import subprocess
import sys
import time

import pytest

STEP = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from florilegium.files import written_whole
from florilegium.step import run_step

def work(_):
    time.sleep(0.05)

def main(job):
    with written_whole(job.target) as partial, ProcessPoolExecutor(2) as pool:
        partial.write_text("half")
        for _ in pool.map(work, range(2000)):
            print("works", flush=True)

if __name__ == "__main__":
    run_step(main, SimpleNamespace(log=[], target=Path(sys.argv[1])))
"""


@pytest.fixture
def step(project, tmp_path):
    """A running step with two workers, in a process group of its own."""
    (tmp_path / "step.py").write_text(STEP)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "step.py"), str(tmp_path / "results" / "target.csv")],
        env=os.environ | {"PYTHONPATH": str(project / "scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "works\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["step", "group"])
def test_a_step_with_workers_ends_with_one_line_and_no_file(step, tmp_path, number, send):
    begun = time.monotonic()
    send(step.pid, number)
    _, errors = step.communicate(timeout=60)
    assert step.returncode == 128 + number
    assert time.monotonic() - begun < 15
    assert len(errors.splitlines()) == 1, errors
    (line,) = errors.splitlines()
    assert line.endswith(f"stopped by {number.name}: nothing is left half-written; run again to continue")
    assert os.listdir(tmp_path / "results") == []
    with pytest.raises(ProcessLookupError):
        os.killpg(step.pid, 0)


def test_a_second_signal_does_not_disturb_the_end(step, tmp_path):
    for _ in range(5):
        step.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    _, errors = step.communicate(timeout=60)
    assert step.returncode == 128 + signal.SIGTERM and len(errors.splitlines()) == 1
    assert os.listdir(tmp_path / "results") == []


def test_a_step_that_loses_its_exception_ends_all_the_same(project, tmp_path):
    """An exception that is raised in a destructor goes nowhere."""
    lost = """
import time
from types import SimpleNamespace
from florilegium import step

step.GRACE_SECONDS = 1

class Deaf:
    def __del__(self):
        print("deaf", flush=True)
        time.sleep(60)

def main(job):
    Deaf()
    time.sleep(60)

step.run_step(main, SimpleNamespace(log=[]))
"""
    environment = os.environ | {"PYTHONPATH": str(project / "scripts")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", lost], env=environment, **pipes)
    assert process.stdout.readline() == b"deaf\n"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGALRM
