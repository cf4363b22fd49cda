"""Steps run alone, each in a process of its own that starts in a tenth of a second and can be killed."""

import json
import multiprocessing
import os
import runpy
import sys
import time

from support import ROOT

LIMIT_SECONDS = 120


def process(script, log, files, settings, wildcards):
    """Start `scripts/<script>.py` as its rule would; returns the process, whose log is written to `log`.

    It is forked from a server that has imported torch, which takes seconds.

    Args:
        script: name of the step.
        log: path of the file for everything that the step says.
        files: {"input": {name: path}, "output": {name: path}}.
        settings: the step's parameter.
        wildcards: of its rule.
    """
    arguments = []
    for group, named in (files | {"wildcards": wildcards}).items():
        arguments += [f"--{group}", *(f"{name}={value}" for name, value in named.items())]
    arguments += ["--params", f"settings={json.dumps(settings)}", "--threads", "2"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["train_head", "fine_tune", "evaluate"])
    os.environ["PYTHONPATH"] = str(ROOT / "scripts")  # for the server, which starts with the first process
    started = context.Process(target=_run, args=(script, str(log), arguments))
    started.start()
    return started


def _run(script, log, arguments):
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.stderr.fileno())
    sys.argv = [script, *arguments]
    runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), run_name="__main__")


def says(started, log, text):
    """Wait until a step's log holds `text`; returns whether it did before the process ended."""
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit:
        alive = started.is_alive()
        if log.exists() and text in log.read_text():
            return True
        if not alive:
            return False
        time.sleep(0.002)
    raise TimeoutError(f"{log} does not say '{text}': {log.read_text() if log.exists() else 'there is no log'}")


def ended(started):
    """Wait for the end of a process; returns its exit code, minus the signal's number when one killed it."""
    started.join(LIMIT_SECONDS)
    return started.exitcode
