"""The same Snakefile on a real SLURM: what the profile declares is what the scheduler is asked for."""

import json
import re
import subprocess
import sys

import pytest
import slurm_cluster
import yaml

from support import Workflow, skip_or_fail

LIMIT_SECONDS = 600  # takes 2 to 3 minutes on two idle cores, most of them between looks at the queue
ARCHITECTURES = ["mobilenet_v2", "resnet18"]
GPU_STEPS = ("extract_features", "fine_tune", "evaluate")
RUN = "results/runs/tiny/{}/seed42"


@pytest.fixture(scope="module")
def cluster():
    try:
        slurm_cluster.install()
        with slurm_cluster.running():
            yield
    except (slurm_cluster.Unavailable, PermissionError) as reason:
        skip_or_fail(str(reason))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project in which a user has named the GPU partition in the profile."""
    folder = Workflow(tmp_path_factory.mktemp("cluster")).folder
    profile = folder / "profiles" / "slurm" / "config.yaml"
    commented = "    # slurm_partition: gpu "
    assert profile.read_text().count(commented) == 1
    profile.write_text(profile.read_text().replace(commented, commented.replace("# ", "")))
    return folder


@pytest.fixture(scope="module")
def jobs(cluster, checkout):
    """The scheduler's record after a whole run from drawn flowers to metrics, which must succeed."""
    targets = [f"{RUN.format(architecture)}/metrics.json" for architecture in ARCHITECTURES]
    targets.append(f"{RUN.format(ARCHITECTURES[0])}/cost.json")
    command = slurm_cluster.mortal(sys.executable, "-m", "snakemake", signal="KILL")  # at TERM it waits for its jobs
    command += ["--workflow-profile", "profiles/slurm", "--jobs", "8", "--configfile", "tests/small.yaml"]
    command += ["--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "8", "--"]
    environment = slurm_cluster.environment() | {
        "FLORILEGIUM_DEVICE": "cpu",  # the GPUs of this cluster are not
        "OMP_WAIT_POLICY": "passive",  # its nodes share this machine's cores, so idle threads must not spin
        "XDG_CACHE_HOME": str(checkout / "results" / "cache"),
    }
    environment.pop("SNAKEMAKE_PROFILE", None)
    output = checkout / "results" / "snakemake.log"
    with open(output, "w") as stream:  # a run that is late is killed; its jobs end with the cluster
        where = {"cwd": checkout, "env": environment, "stdout": stream, "stderr": stream}
        done = subprocess.run([*command, *targets], **where, timeout=LIMIT_SECONDS, check=False)
    assert done.returncode == 0, output.read_text()[-4000:]
    missing = [target for target in targets if not (checkout / target).exists()]
    assert not missing
    return record()


@pytest.fixture(scope="module")
def profile(checkout):
    return yaml.safe_load((checkout / "profiles" / "slurm" / "config.yaml").read_text())


def record():
    """What the scheduler was asked for, job by job."""
    found = []
    for line in slurm_cluster.ask("scontrol", "show", "job", "-o").splitlines():
        job = dict(re.findall(r"(\S+?)=(\S*)", line))
        memory, time_limit = job["MinMemoryNode"], re.split("[-:]", job["TimeLimit"])  # 12000M or 8G, 1-03:00:00
        gpus = re.search(r"gpu:(\d+)", job.get("TresPerJob", ""))
        found.append(
            {
                "comment": job["Comment"],
                "state": job["JobState"],
                "partition": job["Partition"],
                "runtime": sum(int(n) * length for n, length in zip(time_limit[::-1], (0, 1, 60, 1440), strict=False)),
                "mem_mb": int(float(memory[:-1]) * {"M": 1, "G": 1024}[memory[-1]]),
                "cpus": int(job["CPUs/Task"]),
                "gpu": int(gpus.group(1)) if gpus else 0,
            }
        )
    return found


def named(jobs, step):
    """The jobs of a rule or group, which the executor names in a job's comment."""
    return [job for job in jobs if job["comment"].startswith(f"rule_{step}")]


def declared(profile, rule, resource):
    """What the profile gives the first attempt of a rule."""
    resources = profile["default-resources"] | profile["set-resources"].get(rule, {})
    return eval(str(resources.get(resource, 0)), {"attempt": 1})


def test_run_succeeds_and_writes_metrics(jobs, checkout):
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    for architecture in ARCHITECTURES:
        metrics = json.loads((checkout / RUN.format(architecture) / "metrics.json").read_text())
        assert 0 <= metrics["test"]["top1"] <= 1


@pytest.mark.parametrize(
    ("step", "count", "rules"),
    [
        ("draw_garden", 1, ["draw_garden"]),
        ("manifest", 1, ["manifest"]),
        ("pixels", 1, ["pixels"]),
        ("extract_features", 2, ["extract_features"]),
        ("train_head", 2, ["train_head"]),
        ("fine_tune", 2, ["fine_tune"]),
        ("evaluate", 2, ["evaluate"]),
        ("export", 1, ["export_onnx", "measure_cost"]),
    ],
)
def test_jobs_ask_for_what_the_profile_declares(jobs, profile, step, count, rules):
    found = named(jobs, step)
    assert len(found) == count
    for job in found:
        assert job["mem_mb"] == max(declared(profile, rule, "mem_mb") for rule in rules)
        assert job["runtime"] == sum(declared(profile, rule, "runtime") for rule in rules)
        assert job["cpus"] == max(profile["set-threads"].get(rule, 1) for rule in rules)
        assert job["gpu"] == max(declared(profile, rule, "gpu") for rule in rules)


def test_gpu_jobs_and_no_others_get_one_gpu_in_the_gpu_partition(jobs):
    with_gpu = [job for job in jobs if job["gpu"]]
    assert sorted(map(str, with_gpu)) == sorted(str(job) for step in GPU_STEPS for job in named(jobs, step))
    assert {(job["gpu"], job["partition"]) for job in with_gpu} == {(1, "gpu")}
    assert {job["partition"] for job in jobs if not job["gpu"]} == {"main"}


def test_logs_of_successes_are_kept_beside_the_steps_logs(jobs, checkout):
    assert len(list((checkout / "results/logs/slurm").rglob("*.log"))) == len(jobs)
