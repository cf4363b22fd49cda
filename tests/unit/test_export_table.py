"""docs/export.csv and the table of docs/export.md come from formats.csv, and random backbones show no accuracy."""

import csv

import pandas as pd
import pytest
from test_formats import METRICS, check, cost

import export_table
from florilegium.formats import run_formats
from support import ROOT


@pytest.fixture
def formats(tmp_path):
    rows = run_formats(METRICS, cost(), check(recommended=False, reason="loses"))
    rows += run_formats(METRICS | {"architecture": "resnet50", "pretrained": False}, cost(), check())
    pd.DataFrame(rows).to_csv(tmp_path / "formats.csv", index=False)
    (tmp_path / "export.md").write_text("before\n<!-- table -->\nold\n<!-- /table -->\nafter\n")
    return tmp_path


def test_both_files_are_written_from_the_comparison(formats):
    assert export_table.main([str(formats / "formats.csv"), "--docs", str(formats)]) == 0
    table = pd.read_csv(formats / "export.csv")
    columns = "architecture,format,top1,top1_agreement,max_abs_diff,p50_ms_1thread,throughput,file_mb"
    assert list(table.columns) == columns.split(",")
    assert table["top1"].notna().tolist() == [True] * 4 + [False] * 4, "a random backbone's accuracy means nothing"
    page = (formats / "export.md").read_text()
    assert page.startswith("before\n<!-- table -->\n| network |") and page.endswith("<!-- /table -->\nafter\n")
    assert (
        "| ResNet18 | int8 | 89.5 % | 97.0 % | 1e-06 | 4.0 | 4 | 4.0 | 0.25 | 0.50 | **not recommended**; bias" in page
    )
    assert "| ResNet50 | int8 | – |" in page and "1020 validation images; EPYC with VNNI" in page and "old" not in page


def test_a_file_that_is_something_else_is_refused_in_one_line(formats, capsys):
    (formats / "other.csv").write_text("a,b\n1,2\n")
    assert export_table.main([str(formats / "other.csv"), "--docs", str(formats)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {formats / 'other.csv'} is no formats.csv")


def test_the_page_quotes_the_committed_table():
    with open(ROOT / "docs" / "export.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    section = page.split("<!-- table -->")[1].split("<!-- /table -->")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line][2:]
    assert len(rows) == len(lines)
    for row, cells in zip(rows, lines, strict=True):
        shown = "–" if row["top1"] == "" else f"{100 * float(row['top1']):.1f} %"
        assert cells[1:4] == [row["format"], shown, f"{100 * float(row['top1_agreement']):.1f} %"]
        assert float(cells[5]) == pytest.approx(float(row["p50_ms_1thread"]), abs=0.051)
