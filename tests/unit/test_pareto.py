"""Fronts with ties, compound scaling, and the course's numbers beside ours."""

import pandas as pd
import pytest
from torchvision.models import efficientnet

from florilegium.course import COURSE, expected
from florilegium.pareto import COSTS, front, fronts
from florilegium.scaling import COEFFICIENTS, scaling
from made_up import network, table

CROPS = {"lesson": dict.fromkeys(COURSE, 224) | {"efficientnet_b3": 300}}


@pytest.mark.parametrize(
    ("accuracy", "cost", "dominated_by"),
    [
        ([0.9, 0.8, 0.7], [3, 2, 1], [-1, -1, -1]),
        ([0.9, 0.8, 0.7], [1, 2, 3], [-1, 0, 0]),
        ([0.9, 0.9, 0.8], [2, 2, 2], [-1, -1, 0]),  # equal in both: both stay
        ([0.9, 0.9], [1, 2], [-1, 0]),  # as good and dearer
        ([0.8, 0.9], [1, 1], [1, -1]),  # as cheap and worse
        ([0.5, 0.7, 0.9], [3, 2, 2], [2, 2, -1]),  # of several that dominate the most accurate is named
        ([0.5], [1], [-1]),
    ],
)
def test_a_front_holds_whatever_nothing_else_beats(accuracy, cost, dominated_by):
    assert front(accuracy, cost) == dominated_by


def test_fronts_are_on_validation_and_leave_out_what_may_not_be_chosen():
    rows = [
        network("mobilenet_v2", val=0.8, test=0.9),
        network("resnet50", val=0.9, test=0.5),
        network("resnet18", val=0.7, test=0.99),
        network("efficientnet_b0", val=0.99, pretrained=False),
        network("resnet18", recipe="all", val=float("nan")),
    ]
    found = fronts(table(*rows))
    assert len(found) == len(rows) * len(COSTS)
    one = found[(found["cost"] == "parameters") & (found["recipe"] == "lesson")].set_index("architecture")
    assert one["on_front"].to_dict() == {
        "mobilenet_v2": True,
        "resnet50": True,
        "resnet18": False,
        "efficientnet_b0": False,
    }
    assert one["dominated_by"]["resnet18"] == "mobilenet_v2"
    assert one["note"]["efficientnet_b0"] == "random backbone"
    assert set(found[found["recipe"] == "all"]["note"]) == {"trained on train + val"}


def test_a_cost_that_was_not_measured_is_on_no_front():
    found = fronts(table(network("resnet18", latency_ms=float("nan")), network("resnet50"))).set_index(
        ["cost", "architecture"]
    )
    assert not found.loc[("latency_ms", "resnet18"), "on_front"]
    assert found.loc[("latency_ms", "resnet18"), "note"] == "not measured"
    assert found.loc[("latency_ms", "resnet50"), "on_front"]


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_the_coefficients_of_compound_scaling_are_those_of_torchvision(name, monkeypatch):
    given = {}
    monkeypatch.setattr(efficientnet, "_efficientnet_conf", lambda _, **kwargs: (given.update(kwargs) or [], None))
    monkeypatch.setattr(efficientnet, "_efficientnet", lambda *_, **__: None)
    getattr(efficientnet, name)()
    assert (given["width_mult"], given["depth_mult"]) == COEFFICIENTS[name][:2]


def test_scaling_needs_b0_and_a_larger_one():
    both = scaling(table(network("efficientnet_b3"), network("resnet18"), network("efficientnet_b0")), CROPS)
    assert list(both["architecture"]) == ["efficientnet_b0", "efficientnet_b3"]
    assert list(both["resolution"]) == [224, 300] and list(both["depth"]) == [1.0, 1.4]
    assert scaling(table(network("efficientnet_b3"), network("resnet18")), CROPS).empty


def test_ours_stands_beside_the_course_where_the_two_can_be_compared():
    rows = [network("resnet18", 0.87), network("vgg11"), network("mobilenet_v2", pretrained=False)]
    found = expected(table(*rows), "flowers102", CROPS).set_index("architecture")
    assert list(found.index) == ["resnet18", "mobilenet_v2"], "the course has no other"
    ours = found.loc["resnet18"]
    assert (ours["expected_phase1"], ours["course_phase2"], ours["phase2_val_top1"]) == (0.75, 0.892, 0.87)
    assert ours["comparable"] and "Apple GPU" in ours["conditions"] and "IMAGENET1K_V1" in ours["conditions"]
    assert not found.loc["mobilenet_v2", "comparable"]
    assert found.loc["mobilenet_v2", "conditions"] == "not comparable: random backbone"
    assert pd.isna(found.loc["mobilenet_v2", "course_phase1"]), "its notebook never ran"


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("garden", {"pretrained": False}, "drawn flowers, random backbone"),
        ("folder", {}, "other photographs"),
        ("flowers102", {"val": float("nan")}, "trained on train + val"),
    ],
)
def test_what_cannot_be_compared_says_why(kind, changes, reason):
    (row,) = expected(table(network("resnet18", **changes)), kind, CROPS).to_dict("records")
    assert row["conditions"] == f"not comparable: {reason}"
