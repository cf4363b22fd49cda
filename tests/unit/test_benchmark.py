"""`make benchmark` runs from a clean folder, and its table means what it says."""

import csv
import importlib.util
import subprocess
import sys

import pytest

from support import ROOT, skip_or_fail

NAMES = {
    "pixels",
    "phase1",
    "phase2_epoch",
    "whole_lesson",
    "evaluation",
    "augmentation_share",
    "peak_memory",
    "peak_memory_growth",
    "gemm_share",
    "planning_1000_runs",
}
COSTS = {"s", "GiB"}
OTHERS = {"images/s", "share", "GFLOP/s", "times"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The CSV's rows and the page of a quick run on drawn photographs."""
    folder = tmp_path_factory.mktemp("benchmark")
    command = [sys.executable, ROOT / "benchmarks" / "benchmark.py", "--quick", "--output", folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    with open(folder / "benchmarks.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return rows, (folder / "benchmarks.md").read_text(encoding="utf-8")


def test_the_table_has_every_name_and_the_agreed_columns(measured):
    rows, _ = measured
    assert list(rows[0]) == ["name", "architecture", "ours", "reference", "ratio", "unit", "repetitions"]
    assert {row["name"] for row in rows} == NAMES
    assert all(int(row["repetitions"]) >= 1 for row in rows)


def test_ratio_says_how_many_times_better_ours_is(measured):
    for row in measured[0]:
        ours, reference, ratio = (float(row[key]) for key in ("ours", "reference", "ratio"))
        assert ours > 0 and reference > 0
        assert row["unit"] in COSTS | OTHERS
        quotient = reference / ours if row["unit"] in COSTS else ours / reference
        assert ratio == pytest.approx(quotient, rel=0.002), row["name"]


def test_the_page_names_its_conditions_and_no_place_on_this_machine(measured):
    rows, page = measured
    for word in ("cores", "torch", "Repetitions", "Profile", "Allocator", "Growth", "What limits"):
        assert word in page
    assert all(f"`{row['name']}`" in page for row in rows)
    assert str(ROOT) not in page and "/tmp" not in page and "/home" not in page


def test_the_course_script_borrows_nothing_from_the_library():
    source = (ROOT / "benchmarks" / "course_way.py").read_text(encoding="utf-8")
    imports = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert not any("florilegium" in line for line in imports)


def test_an_estimate_scales_what_is_steady_and_keeps_what_is_fixed():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("runs", ROOT / "benchmarks" / "runs.py")
        runs = importlib.util.module_from_spec(spec)
        sys.modules["runs"] = runs  # dataclasses look their module up
        spec.loader.exec_module(runs)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    one = {"images": 96, "seconds": 10.0, "fixed_images": 32, "fixed": 6.0}
    assert runs.estimate([one], 96) == pytest.approx(10.0)
    assert runs.estimate([one], 32 + 640) == pytest.approx(6.0 + 40.0)


def test_the_readme_quotes_the_table():
    changed = ["git", "-C", ROOT, "diff", "--quiet", "HEAD", "--", "docs/benchmarks.csv"]
    if subprocess.run(changed, check=False).returncode == 1:
        skip_or_fail("docs/benchmarks.csv was measured anew here; the README quotes the committed one")
    with open(ROOT / "docs" / "benchmarks.csv", encoding="utf-8") as stream:
        rows = {(row["name"], row["architecture"]): row for row in csv.DictReader(stream)}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = {"phase1": "| phase 1, 20 epochs |", "phase2_epoch": "| phase 2, one", "evaluation": "| evaluation of"}
    both = ("mobilenet_v2", "resnet18")
    quoted = [(line, [f"{float(rows[name, one]['ratio']):.1f} ×" for one in both]) for name, line in lines.items()]
    quoted.append(("| the lesson of all", [f"{float(rows['whole_lesson', 'all']['ratio']):.1f} ×"]))
    memory = [rows["peak_memory", one] for one in both]
    gib = [f"{float(row['ours']):.1f} / {float(row['reference']):.1f} GiB" for row in memory]
    for beginning, figures in [*quoted, ("| peak memory of", gib)]:
        (line,) = [line for line in readme.splitlines() if line.startswith(beginning)]
        assert [cell.strip() for cell in line.split("|")[2:-1] if cell.strip()] == figures
