"""Say what Snakemake would run and which key, file or module is the reason; `make why` calls it.

    python tools/why.py --configfile config/demo.yaml

Every argument is handed on to `snakemake --dry-run`; its job descriptions are what is read here.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from florilegium.configuration import read_keys
from florilegium.differences import differences
from florilegium.errors import UserError

JOB = re.compile(r"^rule (\w+):\n((?: {4}.*\n)+)", re.MULTILINE)
BEFORE_AND_NOW = re.compile(r"Params have changed .*? before: (.*?) now: (.*?) ?(?:; |$)")
FOLLOWS = "Input files updated by another job"


@dataclass(frozen=True)
class Job:
    """One planned job: rule, run (values of its wildcards) and the fields of its description."""

    rule: str
    run: str
    fields: dict[str, str]

    def files(self, field: str) -> list[str]:
        """Paths of `input` or `output`."""
        return self.fields.get(field, "").split(", ") if self.fields.get(field) else []


def planned_jobs(dry_run: str) -> list[Job]:
    """The jobs of a dry-run's text, `all` left out."""
    jobs = []
    for rule, block in JOB.findall(dry_run):
        fields = dict(line.strip().split(": ", 1) for line in block.splitlines() if ": " in line)
        run = " ".join(pair.split("=", 1)[1] for pair in fields.get("wildcards", "").split(", ") if pair)
        jobs.append(Job(rule, run, fields))
    return [job for job in jobs if job.rule != "all"]


def own_reasons(job: Job) -> list[str]:
    """Why a job runs, apart from following another one: one line each."""
    reason, found = job.fields.get("reason", ""), []
    if changed := BEFORE_AND_NOW.search(reason):
        try:
            before, now = (ast.literal_eval(text) for text in changed.groups())
        except (SyntaxError, ValueError):  # nothing recorded on one side, or several records
            found.append("settings changed")
        else:
            found += differences(before, now)
    # Snakemake does not look for other inputs when a job follows another one anyway.
    before, now = recorded_inputs(job), set(job.files("input"))
    if before:
        found += [f"no longer reads {path}" for path in sorted(before - now)]
        found += [f"reads {path}" for path in sorted(now - before)]
    for label, text in (("Updated input files", "changed"), ("Missing output files", "missing")):
        if text == "changed" and not before and "missing" in reason.lower():
            continue  # a job that never ran has no older inputs
        if listed := re.search(rf"{label}: (.*?)(?:; |$)", reason):
            found += [f"{text}: {path}" for path in sorted(listed[1].split(", "))]
    known = (BEFORE_AND_NOW.pattern, "Set of input files", "Updated input files", "Missing output files", FOLLOWS)
    others = [part for part in reason.split("; ") if part and not any(re.match(text, part) for text in known)]
    return found + (others if not found else [])


def recorded_inputs(job: Job) -> set[str]:
    """The input files of the job that made the first output, as Snakemake wrote them down; empty if it never ran."""
    name = urlsafe_b64encode(job.files("output")[0].encode()).decode()
    record = Path(".snakemake/metadata") / name
    return set(json.loads(record.read_text())["input"]) if len(name) < 255 and record.exists() else set()


def explanation(jobs: list[Job]) -> str:
    """Causes first, each with its jobs; then what only follows from them."""
    causes: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    following: Counter[str] = Counter()
    for job in jobs:
        reasons = own_reasons(job)
        follows = FOLLOWS in job.fields.get("reason", "")
        if reasons and not (follows and all(reason.startswith("missing: ") for reason in reasons)):
            causes.setdefault((job.rule, tuple(reasons)), []).append(job.run)
        else:
            following[job.rule] += 1
    lines = []
    for (rule, reasons), runs in causes.items():
        named = ", ".join(sorted(run for run in runs if run))
        lines += [f"{rule}: {named or 'once'}", *(f"    {text}" for text in reasons)]
    if following:
        lines.append("from their results: " + ", ".join(f"{rule} {count}" for rule, count in following.items()))
    return "\n".join(lines) or "nothing would run"


def overlays(arguments: list[str]) -> list[str]:
    """The files after `--configfile`."""
    after = arguments[arguments.index("--configfile") + 1 :] if "--configfile" in arguments else []
    return list(takewhile(lambda word: not word.startswith("-"), after))


def main(arguments: list[str]) -> int:
    """Print the explanation of a dry-run with Snakemake's own arguments; returns Snakemake's exit status.

    Raises:
        UserError: an overlay is missing or cannot be read, of which Snakemake says no more than a traceback.
    """
    for path in overlays(arguments):
        read_keys(path)
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--nocolor", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
    else:
        print(explanation(planned_jobs(done.stdout + done.stderr)))
    return done.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit(f"error: {error}")
