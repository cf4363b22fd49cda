"""Two processes never hold one lock, and the one that comes second learns who has it."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

from florilegium.errors import UserError
from florilegium.locks import only_writer

HOLDER = """
import sys
from pathlib import Path
from florilegium.locks import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "resume" / "phase2.lock"


@pytest.fixture
def holder(project, lock):
    """A process that holds the lock until its standard input ends."""
    environment = os.environ | {"PYTHONPATH": str(project / "scripts"), "SLURM_JOB_ID": ""}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], env=environment, **pipes)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_copy_that_has_waited_in_vain_says_who_runs_and_what_to_do(lock, holder, monkeypatch, caplog):
    monkeypatch.setenv("FLORILEGIUM_LOCK_WAIT", "0.2")
    with caplog.at_level(logging.INFO), pytest.raises(UserError) as refusal, only_writer(lock):
        pytest.fail("two writers")
    assert f"{lock} is held by process {holder.pid} on {os.uname().nodename} since" in caplog.messages[0]
    assert "waiting up to 0 s" in caplog.messages[0]
    line = str(refusal.value)
    assert f"held by process {holder.pid}" in line and f"end it (kill {holder.pid} on" in line and "\n" not in line


def test_a_slurm_job_is_named_with_the_command_that_cancels_it(lock, monkeypatch):
    monkeypatch.setenv("FLORILEGIUM_LOCK_WAIT", "0")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with only_writer(lock), pytest.raises(UserError, match=r"\(SLURM job 4711\).*end it \(scancel 4711\)"):
        in_another_thread(lock)


def test_a_holder_that_has_not_written_who_it_is_is_refused_all_the_same(lock, holder, monkeypatch):
    monkeypatch.setenv("FLORILEGIUM_LOCK_WAIT", "0")
    lock.with_suffix(".holder.json").unlink()
    with pytest.raises(UserError, match=f"held by another process: .*fuser {lock} names it"), only_writer(lock):
        pytest.fail("two writers")


def in_another_thread(lock):
    """A second descriptor of this process contends as another process does."""
    found = []

    def attempt():
        try:
            with only_writer(lock):
                found.append(None)
        except UserError as error:
            found.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if found[0]:
        raise found[0]


@pytest.mark.parametrize("end", ["kill", "finish"])
def test_a_waiting_copy_goes_on_when_the_first_has_ended_however_it_ended(lock, holder, end, monkeypatch):
    monkeypatch.setenv("FLORILEGIUM_LOCK_WAIT", "60")
    ending = holder.kill if end == "kill" else holder.stdin.close
    threading.Timer(0.3, ending).start()
    with only_writer(lock) as waited:
        assert waited
        assert json.loads(lock.with_suffix(".holder.json").read_text())["pid"] == os.getpid()
    assert holder.wait() == (-signal.SIGKILL if end == "kill" else 0)
    with only_writer(lock) as waited:
        assert not waited
    assert sorted(os.listdir(lock.parent)) == ["phase2.lock"]


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "inf"])
def test_a_time_to_wait_that_is_none_is_refused(lock, holder, monkeypatch, wait):
    monkeypatch.setenv("FLORILEGIUM_LOCK_WAIT", wait)
    with pytest.raises(UserError, match=f"FLORILEGIUM_LOCK_WAIT: '{wait}' is no time"), only_writer(lock):
        pytest.fail("two writers")
