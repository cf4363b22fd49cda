"""The processes of the test cluster: its daemons, its clients, and what belongs to its jobs."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

START_SECONDS, STOP_SECONDS = 30, 10


class Unavailable(Exception):
    """Why there can be no cluster here."""


def daemon(folder, daemons, program, *arguments):
    """Start a daemon in the foreground; it goes to `daemons`."""
    with open(folder / f"{program}{len(daemons)}.out", "w") as out:
        where = {"stdout": out, "stderr": out, "cwd": folder, "env": environment()}
        daemons.append(subprocess.Popen(mortal(program, *arguments), **where))
    return daemons[-1]


def mortal(*command, ending="TERM"):
    """A command that the kernel ends should this process be killed before it can clean up."""
    return ["setpriv", "--pdeathsig", ending, *command]


def await_that(ready, daemons, folder):
    """Wait until `ready`, but neither for ever nor for the dead."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > deadline or any(process.poll() is not None for process in daemons):
            lines = [line for path in folder.glob("*.out") for line in path.read_text().splitlines()]
            raise Unavailable("the cluster did not come up: " + " | ".join(lines[-5:]))
        time.sleep(0.2)


def stop(daemons):
    """Cancel what still runs, then end every daemon by its pid, the controller's nodes first."""
    if any(process.poll() is None for process in daemons[1:]):
        ask("scancel", "--user", "root")
        deadline = time.monotonic() + STOP_SECONDS
        while ask("squeue", "-h") and time.monotonic() < deadline:
            time.sleep(0.2)
        for job in ask("squeue", "-h", "-o", "%A").split():
            kill(processes(job))
    for process in reversed(daemons):
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(*command):
    """What a client of SLURM answers; nothing while the controller does not."""
    try:
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=5, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def environment():
    """This process's environment without anything about another cluster."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SBATCH_", "SRUN_"))}


class Nodes:
    """The nodes of a running cluster, each of which can be lost and brought back."""

    def __init__(self, folder, daemons):
        self._folder, self._daemons = folder, daemons
        self._slurmd = {
            f"node{number}": process for number, process in enumerate(daemons[2:])
        }  # after munge, controller

    def lose(self, node, jobs):
        """End a node's daemon and whatever belongs to its `jobs`, as when its power fails.

        It gets no new job from now on: until the scheduler notices, it would send others there, too.
        """
        ask("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=lost")
        self._slurmd[node].kill()
        self._slurmd[node].wait()
        for job in jobs:
            kill(processes(job))

    def bring_back(self, node):
        """Start a lost node's daemon again, and let it have jobs."""
        self._slurmd[node] = daemon(self._folder, self._daemons, "slurmd", "-D", "-N", node)
        ask("scontrol", "update", f"NodeName={node}", "State=RESUME")


def processes(job):
    """Process ids of a job on this cluster: what it runs, and the daemon's helper beside each of its steps."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            title, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes().split(b"\0")
            ours = b"SLURM_CLUSTER_NAME=florilegium" in environment and f"SLURM_JOB_ID={job}".encode() in environment
            if ours or title.startswith(f"slurmstepd: [{job}.".encode()):
                found.append(int(folder.name))
    return found


def kill(pids):
    """End processes that may have ended by themselves."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
