"""What every step does around its work: log, one-line errors, threads. Steps also run alone, for debugging."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, SimpleNamespace
from typing import Any

from florilegium.errors import UserError

log = logging.getLogger("florilegium")


GRACE_SECONDS = 12  # between a signal and the end of the process


class Stopped(BaseException):
    """SIGINT or SIGTERM came. Not an Exception: nothing on the way may take it for a failure and go on."""


def run_step(main: Callable[[Any], None], job: Any | None = None) -> None:
    """Run `main(job)` with logging to the rule's log file and the terminal.

    Args:
        main: the step.
        job: Snakemake's object; None takes `--input name=path --output name=path --params name=JSON …` from the command
            line, which is how a step is run alone.

    A UserError ends the process with one line; anything else does too, with its traceback in the log, and on the
    terminal when FLORILEGIUM_DEBUG is set. SIGINT and SIGTERM (Ctrl-C, scancel, a time limit) end it with one line and
    the exit status 128 + signal, after the files it was writing are removed.
    """
    job = job or _from_command_line()
    _start_log(job.log[0] if job.log else None)
    try:
        with _stopping_at_signals():
            main(job)
    except Stopped as stopped:
        number = signal.Signals[str(stopped)]
        log.info("stopped by %s: nothing is left half-written; run again to continue", number.name)
        sys.exit(128 + number)
    except UserError as error:
        _end(f"error: {error}", debug=bool(os.environ.get("FLORILEGIUM_DEBUG")))
    except Exception as error:
        _end(
            f"unexpected {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else 'no message'}",
            debug=True,
        )


@contextmanager
def _stopping_at_signals() -> Iterator[None]:
    """Raise Stopped in the main thread at the first SIGINT or SIGTERM, and ignore those that follow it."""
    step, numbers = os.getpid(), (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        if os.getpid() != step:  # a worker process that inherited this handler: its parent says what there is to say
            os._exit(128 + number)
        threading.excepthook = lambda _: None  # nor has a thread that loses its workers now
        signal.alarm(GRACE_SECONDS)  # whatever holds up the end, as an exception lost in a destructor
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in numbers}
    stopped = False
    try:
        yield
    except Stopped:
        stopped = True  # and signals stay ignored until the process has ended
        raise
    finally:
        for number, handler in before.items() if not stopped else ():
            signal.signal(number, handler)


def _end(line: str, debug: bool) -> None:
    log.error(line)
    if debug:
        where = log.info if os.environ.get("FLORILEGIUM_DEBUG") else log.debug
        where(traceback.format_exc())
    sys.exit(1)


def _start_log(path: str | None) -> None:
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.INFO)
    handlers: list[logging.Handler] = [terminal]
    if path:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w", encoding="utf-8"))
    logging.raiseExceptions = False  # a log on a full disk must not bury the line that says so
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers, force=True
    )
    log.setLevel(logging.DEBUG)


class Named(SimpleNamespace):
    """Values by name, as Snakemake hands them to a script."""

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and values."""
        return vars(self).items()


def _from_command_line() -> SimpleNamespace:
    parser = argparse.ArgumentParser(
        description="Run one step alone, with the files and parameters that its rule would give it."
    )
    for group in ("input", "output", "params", "wildcards"):
        kind = "JSON" if group == "params" else "VALUE"
        parser.add_argument(
            f"--{group}", nargs="*", default=[], metavar=f"NAME={kind}", help="repeat a name for a list"
        )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log", default=None)
    given = parser.parse_args()
    groups = {group: _named(getattr(given, group)) for group in ("input", "output", "wildcards")}
    groups["params"] = Named(**{name: json.loads(text) for name, text in _named(given.params).items()})
    return SimpleNamespace(**groups, threads=given.threads, log=[given.log] if given.log else [])


def _named(pairs: list[str]) -> Named:
    found: dict[str, list[str]] = {}
    for name, value in (pair.split("=", 1) for pair in pairs):
        found.setdefault(name, []).append(value)
    return Named(**{name: values if len(values) > 1 else values[0] for name, values in found.items()})
