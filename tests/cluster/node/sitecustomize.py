"""What the test cluster's nodes do to every Python: no way to the internet, and a note of what a step was given.

Python imports this module at its start when its folder is on PYTHONPATH. Outside a SLURM job it does nothing.
"""

import errno
import json
import os
import re
import sys

NEAR = ("", "localhost", "::1", os.uname().nodename)
STEP = re.compile(r"\.snakemake/scripts/tmp\w+\.(\w+)\.py$")


def note(**about):
    """One line in the file that CLUSTER_NOTES names; lines of several processes do not mix."""
    given = {name: os.environ.get(name) for name in ("SLURM_JOB_ID", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES")}
    file = os.open(os.environ["CLUSTER_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (json.dumps(about | given | {"pid": os.getpid()}) + "\n").encode())
    os.close(file)


def without_internet(event, arguments):
    """An audit hook: looking up or connecting to anything but this machine fails, and is noted."""
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""  # a path is a socket of this machine
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0] or ""
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in NEAR and not host.startswith("127."):
        note(refused=host)
        raise OSError(errno.ENETUNREACH, f"this node has no way to {host}")


def array_job():
    """The command line of this task of a job array, where the executor has packed those of all tasks but the first."""
    import base64
    import zlib

    words = dict(word.split("=", 1) for word in sys.orig_argv if word.startswith("--slurm-jobstep-array-execs="))
    if not words:
        return ""
    packed = json.loads(base64.b64decode(words["--slurm-jobstep-array-execs"]))
    if command := packed.get(os.environ["SLURM_ARRAY_TASK_ID"]):
        return zlib.decompress(bytes.fromhex(command)).decode()
    return " ".join(sys.orig_argv)


def train_nothing():
    """Stand in for Snakemake on the node and for fine_tune, for every seed that CLUSTER_REAL_SEEDS does not name."""
    target = re.search(r"--target-jobs '?fine_tune:([\w=,]+)", array_job())
    if not target:
        return
    wildcards = dict(pair.split("=") for pair in target[1].split(","))
    if wildcards["seed"] in os.environ["CLUSTER_REAL_SEEDS"].split(","):
        return
    run = "results/runs/{recipe}/{architecture}/seed{seed}/".format(**wildcards)
    outputs = [run + name for name in ("phase2_best.pth", "final.pth", "history_phase2.csv")]
    outputs.append("results/benchmarks/fine_tune/{recipe}.{architecture}.seed{seed}.tsv".format(**wildcards))
    for path in outputs:
        with open(path, "w") as stream:
            stream.write(f"seed {wildcards['seed']}\n")
    note(step="nothing", seed=wildcards["seed"])
    os._exit(0)


if "SLURM_JOB_ID" in os.environ and "CLUSTER_NOTES" in os.environ:
    sys.addaudithook(without_internet)
    if step := STEP.search(" ".join(sys.orig_argv[1:2])):
        note(step=step[1])
    elif "SLURM_ARRAY_TASK_ID" in os.environ and "CLUSTER_REAL_SEEDS" in os.environ:
        train_nothing()
