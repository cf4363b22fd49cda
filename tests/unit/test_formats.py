"""formats.csv says what the runs' files say, and the figure shows what is not recommended."""

import pandas as pd
import pytest

from figure_reading import says, texts
from florilegium.format_figures import SPAN, formats_figure
from florilegium.formats import COST, FORMATS, means, run_formats

METRICS = {"recipe": "lesson", "architecture": "resnet18", "seed": 42, "weights": "IMAGENET1K_V1"}
METRICS |= {"pretrained": True, "protocol": "fixed split"}


def check(int8_top1=0.895, **int8):
    same = {"top1": 0.9, "top1_torch": 0.9, "top1_agreement": 1.0, "max_abs_diff": 1e-6}
    same |= {"recommended": True, "reason": ""}
    of_int8 = same | {"top1": int8_top1, "top1_agreement": 0.97, "made_with": "bias correction"} | int8
    return {"images": 1020, "formats": {"fp32": same, "fp16": same, "int8": of_int8}}


def cost(speed=1.0):
    formats = {name: dict.fromkeys(COST, speed * (n + 1)) for n, name in enumerate(FORMATS)}
    return {"formats": formats, "conditions": {"processor": "EPYC", "vnni": True, "all_threads": 2, "pixels": 224}}


def test_a_run_has_a_row_for_torch_and_each_file_with_the_columns_of_the_table():
    rows = run_formats(METRICS, cost(), check(recommended=False, reason="loses"))
    assert [row["format"] for row in rows] == ["torch", "fp32", "fp16", "int8"]
    columns = "recipe architecture seed format top1 top1_agreement max_abs_diff recommended reason p50_ms_1thread"
    columns += " p95_ms_1thread p50_ms_all p95_ms_all throughput file_mb load_seconds peak_memory_mb"
    assert list(rows[0])[:17] == columns.split()
    torch, int8 = rows[0], rows[3]
    assert [torch[key] for key in ("top1", "top1_agreement", "max_abs_diff", "recommended")] == [0.9, 1.0, 0.0, True]
    assert [int8[key] for key in ("top1", "recommended", "reason")] == [0.895, False, "loses"]
    assert int8["made_with"] == "bias correction"
    assert int8["p50_ms_1thread"] == 4.0


def test_means_over_seeds_recommend_only_what_every_seed_does():
    runs = [(42, check()), (43, check(0.885, recommended=False))]
    rows = [row for seed, of_run in runs for row in run_formats(METRICS | {"seed": seed}, cost(seed / 42), of_run)]
    found = means(pd.DataFrame(rows)).set_index("format")
    assert found.loc["int8", "top1"] == pytest.approx(0.89)
    assert found["recommended"].to_dict() == {"torch": True, "fp32": True, "fp16": True, "int8": False}
    assert set(found["seeds"]) == {2}


def table(**changes):
    rows = run_formats(METRICS, cost(), check(**changes))
    rows += run_formats(METRICS | {"architecture": "mobilenet_v2", "pretrained": False}, cost(0.3), check())
    return means(pd.DataFrame(rows))


def test_the_figure_names_networks_and_files_and_crosses_out_what_is_not_recommended():
    figure = formats_figure(table(recommended=False))
    for word in ("ResNet18", "MobileNetV2", "torch", "fp32", "fp16", "int8", "not recommended", "validation top-1 (%)"):
        assert says(figure, word), word
    assert says(figure, "1020 validation images") and says(figure, "open marker: random backbone")
    crosses = [line for axes in figure.axes for line in axes.get_lines() if line.get_marker() == "x"]
    assert len(crosses) == 2, "one in each panel"
    assert "not recommended" not in texts(formats_figure(table()))


def test_a_tenth_of_a_point_does_not_look_like_a_cliff():
    axes = formats_figure(table()).axes[0]
    low, high = axes.get_ylim()
    assert high - low >= SPAN - 1e-9 and low < 89.5 and high > 90
