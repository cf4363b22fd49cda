"""A local page: drop a photograph, see what every exported network makes of it; `make app` calls it.

    python tools/app.py [RESULTS] [--port 8080] [--no-browser]

It listens on this computer alone (127.0.0.1), keeps no photograph, and asks nothing of any other machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

import heat_maps
import serving
from florilegium.errors import UserError
from florilegium.style import looks
from loopback import HOST, LoopbackOnly, free_port

STORAGE = tempfile.TemporaryDirectory(prefix="florilegium-app-")  # not in the project, and gone at the end
os.environ.setdefault("NICEGUI_STORAGE_PATH", STORAGE.name)
from nicegui import app, events, run, ui  # noqa: E402

LARGEST = 20_000_000  # bytes of a photograph
STYLE = Path(__file__).with_name("app.css")


class Page:
    """What one browser tab shows."""

    def __init__(self, runs: list[serving.Run], busy: asyncio.Lock):
        """Lay the page out; `busy` lets one tab compute at a time, so that the times are of one network alone."""
        self._runs, self._busy, self._number = runs, busy, 0
        self._looks = looks([run.architecture for run in runs])
        ui.add_css(STYLE.read_text(encoding="utf-8"))
        ui.label("What do the networks see?").classes("text-2xl font-semibold")
        ui.label(
            f"Drop a photograph: {len(runs)} exported network{'s' * (len(runs) > 1)} will name it. It stays on this "
            f"computer and is not kept."
        ).classes("quiet")
        size = f"{LARGEST / 1e6:.0f} MB"
        with ui.element("div").classes("top"):
            self._upload = ui.upload(
                label=f"Drop a photograph here, or press + (at most {size})",
                auto_upload=True,
                max_file_size=LARGEST,
                on_upload=self._uploaded,
                on_rejected=lambda: self._say(f"That file is larger than {size}; choose a smaller one."),
            ).props("flat bordered")
            self._photograph = ui.element("div")
        self._message = ui.label().classes("warn message")
        self._message.set_visibility(False)
        self._networks = ui.element("div").classes("networks")

    def _say(self, text: str) -> None:
        self._message.set_text(text)
        self._message.set_visibility(bool(text))
        self._upload.reset()

    async def _uploaded(self, upload: events.UploadEventArguments) -> None:
        self._number += 1
        number = self._number
        self._say("")
        self._photograph.clear()
        self._networks.clear()
        try:
            picture = serving.picture_of(upload.file.name, await upload.file.read())
        except UserError as error:
            self._say(str(error))
            return
        with self._photograph:
            shown = picture.copy()
            shown.thumbnail((640, 640))
            ui.image(shown).classes("photograph").props('alt="the photograph"')
        cards = [self._card(run) for run in self._runs]
        async with self._busy:
            # First all names, then all heat maps: torch takes seconds to load.
            for step in (self._names, self._heat):
                for run, card in zip(self._runs, cards, strict=True):
                    if number == self._number:  # else another photograph has come
                        await step(run, card, picture)

    def _card(self, run: serving.Run) -> dict[str, Any]:
        colour = f"--colour: {self._looks[run.architecture].colour}"
        with self._networks, ui.element("div").classes("network").style(colour):
            ui.html(f"<h2>{run.title}</h2>", sanitize=False)
            ui.label(f"recipe {run.recipe}, seed {run.seed}").classes("quiet")
            if not run.pretrained:
                ui.label("random backbone: shows the workflow, not transfer learning").classes("warn text-sm")
            names, heat = ui.column().classes("w-full gap-1"), ui.column().classes("w-full gap-1")
            with names:
                ui.spinner()
        return {"names": names, "heat": heat, "first": None}

    async def _names(self, run_: serving.Run, card: dict[str, Any], picture: Image.Image) -> None:
        found, problem = await run.io_bound(_attempt, lambda: list(serving.replies(run_, picture)))
        card["names"].clear()
        with card["names"]:
            if problem:
                ui.label(problem).classes("warn")
                return
            card["first"] = found[0].best[0][0]
            if found[0].sure is False:
                ui.label("not sure").classes("warn")
            for name, share in found[0].best:
                with ui.element("div").classes("class"):
                    ui.element("i").style(f"width: {100 * share:.1f}%")
                    ui.label(name)
                    ui.html(f"<b>{100 * share:.1f} %</b>", sanitize=False)
            ui.html(_files_table(found), sanitize=False).classes("w-full")
        with card["heat"]:
            ui.label("looking where it looks …").classes("quiet")

    async def _heat(self, run_: serving.Run, card: dict[str, Any], picture: Image.Image) -> None:
        card["heat"].clear()
        checkpoint, name = run_.folder / "final.pth", card["first"]
        if name is None:
            return
        with card["heat"]:
            if not checkpoint.exists():
                ui.label("No heat map: final.pth is not beside the ONNX file.").classes("quiet")
                return
            waiting = ui.spinner()
            drawn, problem = await run.io_bound(_attempt, lambda: heat_maps.overlay(checkpoint, picture, name))
            waiting.delete()
            if drawn is None:
                ui.label(f"No heat map: {problem or 'this network keeps no places apart'}.").classes("quiet")
                return
            ui.image(drawn).classes("heat").props(f'alt="heat map of {run_.title}"')
            ui.label(f"What speaks for {name}: the lighter, the more (Grad-CAM).").classes("quiet")


def _attempt(work: Callable[[], Any]) -> tuple[Any, str]:
    """The result of `work` and "", or None and one line of what went wrong, so that the other networks go on."""
    try:
        return work(), ""
    except Exception as error:
        return None, " ".join(str(error).split()) or type(error).__name__


def _files_table(replies: list[serving.Reply]) -> str:
    """HTML: of each file its format, the first name, probability and time."""
    rows = "".join(
        f"<tr title='{reply.file}'><td>{reply.format}{' <span class=warn>not recommended</span>' * reply.avoided}</td>"
        f"<td>{escape(reply.best[0][0])}</td><td>{100 * reply.best[0][1]:.1f} %</td>"
        f"<td class=latency>{reply.milliseconds:.1f} ms</td></tr>"
        for reply in replies
    )
    how = f"one picture on one thread, median of {serving.REPETITIONS}"
    return f"<table class=files>{rows}</table><div class=quiet>{how}</div>"


def serve(results: Path, port: int, browser: bool) -> None:
    """Serve the page until Ctrl-C."""
    runs = serving.finished_runs(results)
    port, busy = free_port(port), asyncio.Lock()
    app.add_middleware(LoopbackOnly, largest=LARGEST + 100_000)  # the form around the photograph

    @ui.page("/", title="Florilegium")
    def page() -> None:
        Page(runs, busy)

    print(f"http://{HOST}:{port}/ shows {len(runs)} network(s) of {results}; Ctrl-C ends it", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        ui.run(host=HOST, port=port, show=browser, reload=False, dark=None, show_welcome_message=False, favicon="🌼")


def main(arguments: list[str]) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "results", nargs="?", type=Path, default=Path("results"), help="the folder of a finished workflow"
    )
    parser.add_argument("--port", type=int, default=8080, help="the first free one from here on (default: 8080)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    given = parser.parse_args(arguments)
    serve(given.results, given.port, not given.no_browser)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
