"""Runs of the workflow on the test cluster, and what the scheduler and the nodes have noted about their jobs."""

import json
import re
import subprocess
import sys

import pandas as pd
import torch
import yaml
from slurm_processes import ask, environment, mortal

from support import Workflow

LIMIT_SECONDS = 600  # of one run; the longest takes three minutes on two idle cores
RUN = "results/runs/tiny/mobilenet_v2/seed{}"
ENDS = ("phase2_best.pth", "final.pth", "history_phase2.csv")
PARTS = ("data", "forward", "backward", "update", "validation")
TIMES = ["seconds", *(f"{part}_seconds" for part in PARTS), "images_per_second", "peak_memory_mb"]


class ClusterCheckout:
    """A copy of the project in which a user has named the GPU partition in the profile."""

    def __init__(self, folder):
        """Copy what a clone would hold."""
        self.folder = Workflow(folder).folder
        self.log = folder / "results" / "snakemake.log"
        self.notes_file = folder / "results" / "notes"
        self.edit_profile("    # slurm_partition: gpu ", "    slurm_partition: gpu ")

    def edit_profile(self, before, after):
        """Change one line of the cluster's profile."""
        path = self.folder / "profiles" / "slurm" / "config.yaml"
        assert path.read_text().count(before) == 1
        path.write_text(path.read_text().replace(before, after))

    def profile(self):
        """The cluster's profile as it is now."""
        return yaml.safe_load((self.folder / "profiles" / "slurm" / "config.yaml").read_text())

    def start(self, *arguments, given=None, jobs=8):
        """Start the workflow through the unchanged Snakefile; its output goes to `self.log`."""
        command = mortal(sys.executable, "-m", "snakemake", ending="KILL")  # at TERM it waits for its jobs
        command += ["--workflow-profile", "profiles/slurm", "--jobs", str(jobs), "--nocolor"]
        command += ["--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "8"]
        command += ["--configfile", "tests/cluster/cluster.yaml", *arguments]
        variables = environment() | {
            "FLORILEGIUM_DEVICE": "cpu",  # the GPUs of this cluster are not
            "OMP_WAIT_POLICY": "passive",  # its nodes share this machine's cores, so idle threads must not spin
            "XDG_CACHE_HOME": str(self.folder / "results" / "cache"),
            "PYTHONPATH": str(self.folder / "tests" / "cluster" / "node"),
            "CLUSTER_NOTES": str(self.notes_file),
        }
        variables.pop("SNAKEMAKE_PROFILE", None)
        with open(self.log, "w") as stream:
            where = {"cwd": self.folder, "env": variables | (given or {}), "stdout": stream, "stderr": stream}
            return subprocess.Popen(command, **where)

    def finish(self, process):
        """Wait until a run has succeeded; returns its jobs. A late one is killed; its jobs end with the cluster."""
        try:
            assert process.wait(LIMIT_SECONDS) == 0, self.log.read_text()[-4000:]
        finally:
            process.kill()
        run_id = re.search(r"SLURM run ID: (\S+)", self.log.read_text())[1]
        return [job for job in scheduler_record() if job["run"] == run_id]

    def run(self, *arguments, **options):
        """Start and finish."""
        return self.finish(self.start(*arguments, **options))

    def notes(self):
        """What the nodes have noted, process by process."""
        return [json.loads(line) for line in self.notes_file.read_text().splitlines()]


def scheduler_record():
    """What the scheduler was asked for and did, job by job."""
    found = []
    for line in ask("scontrol", "show", "job", "-o").splitlines():
        job = dict(re.findall(r"(\S+?)=(\S*)", line))
        memory, time_limit = job["MinMemoryNode"], re.split("[-:]", job["TimeLimit"])  # 12000M or 8G, 1-03:00:00
        gpus = re.search(r"gpu:(?:([a-z]\w*):)?(\d+)", job.get("TresPerJob", "") + job.get("TresPerNode", ""))
        found.append(
            {
                "id": job["JobId"],
                "array": job.get("ArrayJobId"),
                "run": job["JobName"],
                "comment": job.get("Comment", ""),
                "state": job["JobState"],
                "restarts": int(job["Restarts"]),
                "node": job["NodeList"],
                "span": (job["StartTime"], job["EndTime"]),
                "partition": job["Partition"],
                "runtime": sum(int(n) * length for n, length in zip(time_limit[::-1], (0, 1, 60, 1440), strict=False)),
                "mem_mb": round(float(memory[:-1]) * {"M": 1, "G": 1024}[memory[-1]]),
                "nodes": int(job["NumNodes"].split("-")[0]),
                "cpus": int(job["CPUs/Task"]),
                "gpu": int(gpus[2]) if gpus else 0,
                "gpu_model": gpus[1] if gpus else None,
            }
        )
    return found


def named(jobs, step):
    """The jobs of a rule or group, which the executor names in a job's comment."""
    return [job for job in jobs if re.match(rf"rule_{step}(_|$)", job["comment"])]


def declared(profile, rule, resource, attempt=1):
    """What the profile gives an attempt of a rule."""
    resources = profile["default-resources"] | profile["set-resources"].get(rule, {})
    return eval(str(resources.get(resource, 0)), {"attempt": attempt})


def differences(folder, prefix):
    """What sets the end of phase 2 in a run's folder apart from that in its files named `prefix`, times aside."""
    found = []
    for name in ("phase2_best.pth", "final.pth"):
        here, there = (torch.load(folder / file, weights_only=True) for file in (name, prefix + name))
        states = here["state_dict"], there["state_dict"]
        same = states[0].keys() == states[1].keys() and all(map(torch.equal, states[0].values(), states[1].values()))
        found += [] if same else [name]
        found += [] if timeless(here["metadata"]) == timeless(there["metadata"]) else [f"metadata of {name}"]
    history = [pd.read_csv(folder / name) for name in ("history_phase2.csv", f"{prefix}history_phase2.csv")]
    same = history[0].drop(columns=TIMES).equals(history[1].drop(columns=TIMES))
    return found if same else [*found, "history_phase2.csv"]


def timeless(metadata):
    """A checkpoint's metadata without how long it took and when it was written."""
    provenance = {key: value for key, value in metadata["provenance"].items() if key != "written"}
    return metadata | {"seconds": None, "provenance": provenance}
