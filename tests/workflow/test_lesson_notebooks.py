"""The lessons of a finished run: executed notebooks, pages without errors, live numbers."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

LESSONS = ("data", "resnet18", "mobilenet_v2", "comparison")


def folder(workflow):
    return workflow.folder / "results" / "lessons"


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_notebook_was_executed_to_its_end(small_run, lesson):
    notebook = nbformat.read(folder(small_run) / f"{lesson}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert [output for output in outputs(notebook) if output.output_type == "error"] == []
    assert (
        sum(
            "image/png" in output.get("data", {}) or "image/jpeg" in output.get("data", {})
            for output in outputs(notebook)
        )
        >= 3
    )


@pytest.mark.parametrize("lesson", LESSONS)
def test_its_page_shows_the_results_and_asks_the_network_for_nothing(small_run, lesson):
    page = (folder(small_run) / f"{lesson}.html").read_text(encoding="utf-8")
    assert "<h1" in page and page.count("<img") >= 3
    assert re.findall(r"<(?:script|link|iframe)\b", page) == []
    assert re.findall(r"(?:src|srcset)=\"(?!data:)", page) == []
    assert re.findall(r"url\((?!data:)|@import", page) == []


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v2"])
def test_its_numbers_are_those_of_the_run(small_run, architecture):
    page = (folder(small_run) / f"{architecture}.html").read_text(encoding="utf-8")
    metrics = json.loads((small_run.folder / f"results/runs/tiny/{architecture}/seed42/metrics.json").read_text())
    cost = json.loads((small_run.folder / f"results/runs/tiny/{architecture}/seed42/cost.json").read_text())
    for key in ("top1", "top5", "mean_per_class", "macro_f1"):
        assert f"{100 * metrics['test'][key]:.1f} %" in page
    assert f"{cost['parameters']:,} parameters" in page
    assert "not transfer learning" in page


def test_a_learner_runs_it_again_from_another_folder(small_run, tmp_path):
    """What Jupyter does: the executed notebook, its own preamble, whatever folder it is opened in."""
    copied = tmp_path / "mine.ipynb"
    copied.write_bytes((folder(small_run) / "resnet18.ipynb").read_bytes())
    command = [
        sys.executable,
        "-m",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "--output",
        "again.ipynb",
        str(copied),
    ]
    environment = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    first, again = (nbformat.read(path, as_version=4) for path in (copied, tmp_path / "again.ipynb"))
    assert [output.get("text") for output in outputs(again)] == [output.get("text") for output in outputs(first)]
