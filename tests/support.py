"""What tests of several folders use: where the project lies, and runs of its workflow in a folder of their own."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


def skip_or_fail(reason):
    """Skip on a user's machine, which may lack something; in CI everything must be there."""
    if os.environ.get("CI"):
        pytest.fail(f"not available in CI: {reason}")
    pytest.skip(reason)


def said_by(path):
    """What a checkpoint, or the record `run` of an ONNX file, says of the run that made it."""
    import onnx  # here: the tests that only plan need neither of the two
    import torch

    if path.suffix == ".pth":
        return torch.load(path, weights_only=True)["metadata"]
    properties = onnx.load(path, load_external_data=False).metadata_props
    return json.loads(next(entry.value for entry in properties if entry.key == "run"))


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
        # Last, because --configfile would take a target for another file.
        command += [*arguments, *(["--configfile", config] if config else [])]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False)

    @functools.cached_property
    def _planner(self):
        command = [sys.executable, str(ROOT / "tests" / "planner.py")]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def plan(self, *arguments, config="tests/small.yaml"):
        """Text of a dry-run. For many of them: one process keeps Snakemake loaded until the tests end."""
        log = self.folder / "plan.log"
        command = ["--cores", "2", "--nocolor", "--dry-run", "--quiet", "host", *arguments, "--configfile", config]
        order = {"folder": str(self.folder), "arguments": command, "log": str(log)}
        print(json.dumps(order), file=self._planner.stdin, flush=True)
        status, text = self._planner.stdout.readline().strip(), log.read_text(encoding="utf-8")
        assert status == "0", text
        return text

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
