"""The choice: validation decides within the limits, test reports, and the words say how sure that is."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from florilegium.choice_words import headline, sentences
from florilegium.paired import paired_tests
from florilegium.selection import LIMITS, select
from florilegium.selection_page import selection_markdown, selection_page
from made_up import COSTS, network, right, table

FIVE = [network(name, val=0.8 + i / 50, test=0.75 + i / 50) for i, name in enumerate(COSTS)]
KEYS = dict(zip(LIMITS, range(5), strict=True))  # position of each limit in COSTS


def chosen_of(*rows, limits=None, images=200, seeds=1):
    """The selection among rows whose networks name the images right with their accuracies."""
    networks = table(*rows)
    validation = [
        [] if np.isnan(row["val_top1"]) else [right(row["val_top1"], images, 31 * i) for _ in range(seeds)]
        for i, row in enumerate(rows)
    ]
    tested = [np.stack([right(row["test_top1"], 5000, 7 * i)] * seeds) for i, row in enumerate(rows)]
    pairs = paired_tests(networks, tested)
    selection = select(networks, pairs, validation, dict.fromkeys(LIMITS) | (limits or {}))
    return json.loads(json.dumps(selection, allow_nan=False))


def said(selection):
    return " ".join([headline(selection), *sentences(selection)])


def test_validation_chooses_even_when_test_would_choose_another():
    selection = chosen_of(network("resnet18", 0.9, 0.6), network("resnet50", 0.8, 0.9))
    assert selection["chosen"]["architecture"] == "resnet18"
    assert [other["architecture"] for other in selection["beaten"]] == ["resnet50"]
    assert "On test ResNet50 did better, not by chance. The choice stays with validation" in said(selection)


def test_of_two_equals_the_smaller_is_chosen_and_counted_as_chosen():
    selection = chosen_of(network("resnet50"), network("resnet18"))
    assert selection["chosen"]["architecture"] == "resnet18"
    networks, same = table(network("resnet50"), network("resnet18")), [[right(0.8)]] * 2
    pairs = paired_tests(networks, [np.stack(runs) for runs in same])
    assert select(networks, pairs, same, {})["confidence"]["share"] == 1


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_leaves_out_what_breaks_it_and_says_so(limit):
    most = COSTS["mobilenet_v2"][KEYS[limit]] * (1e6 if limit == "parameters" else 1)
    selection = chosen_of(*FIVE[::-1], network("vgg11", 0.99, 0.9), limits={limit: most})
    assert selection["chosen"]["architecture"] == "mobilenet_v2", "the limit itself is kept to"
    assert len(selection["excluded"]) == 5
    assert all(each["broken_limits"][0]["limit"] == limit for each in selection["excluded"])
    assert selection["without_limits"]["architecture"] == "vgg11"
    words = said(selection)
    assert "alone keeps to the limits" in words and "Left out: VGG11 (" in words
    assert "Without limits it would be VGG11: validation top-1 99.0 %" in words


def test_a_cost_that_was_not_measured_keeps_to_no_limit():
    rows = [network("resnet18", 0.9, latency_ms=float("nan")), network("resnet50", 0.8)]
    selection = chosen_of(*rows, limits={"latency_ms": 60})
    assert selection["chosen"]["architecture"] == "resnet50"
    assert "ResNet18 (not measured where 60 ms are allowed)" in said(selection)
    assert chosen_of(*rows)["chosen"]["architecture"] == "resnet18"


def test_limits_that_nothing_keeps_to_are_said_plainly_with_the_nearest():
    selection = chosen_of(*FIVE, limits={"file_mb": 8, "latency_ms": 10})
    assert selection["chosen"] is None and selection["confidence"] is None
    assert (selection["nearest"]["architecture"], selection["nearest"]["factor"]) == ("mobilenet_v2", 9.5 / 8)
    assert headline(selection) == "No network keeps to the limits"
    assert "Of 5 candidates none keeps to the limits (file at most 8 MB, latency at most 10 ms)" in said(selection)
    assert "Nearest is MobileNetV2, which would need 9.5 MB where 8 MB are allowed" in said(selection)


def test_random_backbones_are_chosen_only_where_nothing_else_ran_and_labelled():
    random = network("resnet18", 0.99, pretrained=False, weights="none (random backbone)")
    selection = chosen_of(random, network("resnet50", 0.5))
    assert selection["chosen"]["architecture"] == "resnet50"
    assert [each["kind"] for each in selection["excluded"]] == ["random backbone"]
    assert "not transfer learning" not in said(selection)
    alone = chosen_of(random)
    assert alone["chosen"]["architecture"] == "resnet18"
    assert "it is not transfer learning" in said(alone)


def test_runs_on_train_and_val_are_never_chosen():
    both = network("resnet50", float("nan"), 0.99, recipe="all", protocol="train + val")
    selection = chosen_of(both, network("resnet18", 0.5, 0.4))
    assert selection["chosen"]["architecture"] == "resnet18"
    assert "Left out: ResNet50 (recipe all) (trained on train + val)" in said(selection)
    nothing = chosen_of(both)
    assert nothing["chosen"] is None and headline(nothing) == "Comparison without a choice"
    assert "nothing" in said(nothing) and "No network keeps" not in selection_page(nothing)


def test_the_choice_is_as_sure_as_the_validation_images_make_it():
    close = chosen_of(network("resnet18", 0.80), network("mobilenet_v2", 0.81))
    clear = chosen_of(network("resnet18", 0.60), network("mobilenet_v2", 0.95))
    assert 0.5 < close["confidence"]["share"] < 0.8 and clear["confidence"]["share"] > 0.999
    assert close["confidence"] == chosen_of(network("resnet18", 0.80), network("mobilenet_v2", 0.81))["confidence"]
    shares = [each["share_of_resamples"] for each in close["candidates"]]
    assert sum(shares) == pytest.approx(1)
    assert f"In {100 * shares[0]:.0f} % of 10,000 resamples of the validation images it would be chosen again" in said(
        close
    )


@pytest.mark.parametrize("over", ["seeds", "folds"])
def test_seeds_that_disagree_make_the_choice_less_sure(over):
    rows = [
        network(name, 0.80 + i / 50, seeds=3, interval_over=over) for i, name in enumerate(("resnet18", "resnet50"))
    ]
    networks, pairs = table(*rows), paired_tests(table(*rows), [np.stack([right(0.8)] * 3)] * 2)
    steady = [[right(value, 1000, 31 * i) for i in range(3)] for value in (0.80, 0.82)]
    swapping = [
        [right(value, 1000, 31 * i) for i, value in enumerate(v)] for v in ((0.8, 0.75, 0.85), (0.82, 0.9, 0.74))
    ]
    sure, unsure = (select(networks, pairs, runs, {})["confidence"] for runs in (steady, swapping))
    assert sure["over"] == "validation images and seeds"
    assert sure["share"] > unsure["share"] + 0.1


def test_rivals_are_those_that_the_paired_tests_cannot_separate():
    rows = [network("resnet50", 0.90, 0.900), network("mobilenet_v2", 0.89, 0.899), network("resnet18", 0.8, 0.6)]
    selection = chosen_of(*rows)
    assert [each["architecture"] for each in selection["rivals"]] == ["mobilenet_v2"]
    assert selection["runner_up"]["architecture"] == "mobilenet_v2"
    assert selection["runner_up"]["test_difference"] == pytest.approx(0.001)
    assert [each["architecture"] for each in selection["beaten"]] == ["resnet18"]
    words = said(selection)
    assert "The runner-up is MobileNetV2, 1.0 points behind on validation" in words
    assert "so test cannot tell them apart" in words
    assert "Costing less, and so as defensible where that counts: MobileNetV2 (2.4 M parameters" in words


class Words(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_data(self, data):
        self.found.append(data.strip())


def test_the_page_and_the_markdown_say_the_same():
    selection = chosen_of(*FIVE, limits={"latency_ms": 25})
    text, parser = selection_markdown(selection), Words()
    parser.feed(selection_page(selection))
    words = [word for word in parser.found if word]
    for sentence in sentences(selection):
        assert sentence in text and sentence in words
    cells = [cell.strip() for line in text.splitlines() if line.startswith("|") for cell in line.strip("|").split("|")]
    assert {cell for cell in cells if cell and cell != "---"} <= set(words)
    assert any(cell.endswith("✗") for cell in cells) and "nan" not in text.lower()


def test_names_of_recipes_cannot_become_markup():
    selection = chosen_of(network("resnet18", recipe="<i>"), network("resnet18", recipe="tuned", val=0.7))
    assert "<i>" not in selection_page(selection)
