"""Figures of the comparison show the numbers of their tables, for two networks and for ten, and cut no text."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from florilegium import choice_figures, comparison_figures, gain_figures, pair_figures, style
from florilegium.agreement import agreement
from florilegium.choice_words import headline
from florilegium.comparison import by_architecture
from florilegium.course import COURSE, expected
from florilegium.ensembles import Split, ensembles
from florilegium.paired import paired_tests
from florilegium.pareto import fronts
from florilegium.scaling import scaling
from florilegium.selection import select
from made_up import COSTS, network, right, table

TEN = [*COSTS, "convnext_tiny", "densenet121", "regnet_y_400mf", "shufflenet_v2_x1_0", "vit_b_16"]
SIZES = pytest.mark.parametrize(("count", "seeds"), [(2, 1), (5, 3), (10, 3)])
IMAGES, CLASSES = 300, 4


def compared(count, seeds, **changes):
    """What the steps of the comparison make of so many made-up networks."""
    runs = [
        network(name, 0.85 - i / 60 + s / 300, 0.82 - i / 60 + s / 300, seed=s, fold=None, **changes)
        | {"phase_gain": 0.1 + s / 200, "phase1_val_top1": 0.75 - i / 60 - s / 600}
        for i, name in enumerate(TEN[:count])
        for s in range(seeds)
    ]
    runs = table(*runs).drop(columns=["seeds", "interval_over"])
    networks = by_architecture(runs)
    labels = np.arange(IMAGES) % CLASSES
    given = [[right(run.test_top1, IMAGES, 9 * run.Index) for run in group.itertuples()] for group in _groups(runs)]
    answers = [np.stack([np.where(each, labels, (labels + 1) % CLASSES) for each in mine]) for mine in given]
    split = Split([[np.eye(CLASSES)[run] for run in mine] for mine in answers], [labels] * seeds, True)
    pairs = paired_tests(networks, [np.stack(mine) for mine in given])
    tables = {"runs": runs, "networks": networks, "pairs": pairs}
    tables |= {"agreement": agreement(networks, answers, labels), "pareto": fronts(networks)}
    tables |= {"ensembles": ensembles(networks, {"val": split, "test": split}), "given": given}
    return tables


def _groups(runs):
    return [group for _, group in runs.groupby("architecture", sort=False)]


@pytest.fixture(scope="module")
def made():
    """`compared` once for each size."""
    found = {}
    return lambda *size: found.setdefault(size, compared(*size))


def visible(figure):
    """Texts that are drawn, with their boxes in pixels."""
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [(text, text.get_window_extent()) for text in texts]


def assert_readable(figure):
    """No text is cut off at the edge, and tick labels of one axis leave each other room."""
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in visible(figure):
        inside = box.x0 > -2 and box.y0 > -2 and box.x1 < width + 2 and box.y1 < height + 2
        assert inside or _beyond_limits(text), text.get_text()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_yticklabels() if label.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)), "labels of rows"


def _beyond_limits(text):
    """Tick labels beyond the limits of their axis exist and are not drawn."""
    return text in [label for axes in text.figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]


def words(figure):
    return " ".join(" ".join(text.get_text() for text, _ in visible(figure)).split()).replace("\N{NO-BREAK SPACE}", " ")


def cells(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@SIZES
def test_a_matrix_colours_only_what_differs_and_shows_every_pair_twice(made, count, seeds):
    tables = made(count, seeds)
    figure = pair_figures.differences(tables["pairs"], tables["networks"])
    assert_readable(figure)
    squares = [to_hex(patch.get_facecolor()[0]) for patch in figure.axes[0].collections]
    assert len(squares) == count * (count - 1)
    assert squares.count(to_hex(pair_figures.ALIKE)) == 2 * (~tables["pairs"]["separable"]).sum()
    shown = sorted(float(text.split("\n")[0].replace("−", "-")) for text in cells(figure) if "…" not in text)
    expected_points = 100 * tables["pairs"]["difference"].to_numpy()
    np.testing.assert_allclose(shown, sorted([*expected_points, *-expected_points]), atol=0.051)
    assert any("…" in text for text in cells(figure)) == (count <= pair_figures.BOUNDS_UP_TO)
    assert ("paired bootstrap" in words(figure)) == (seeds > 1)


@SIZES
def test_agreement_stands_below_the_diagonal_and_equal_mistakes_above(made, count, seeds):
    tables = made(count, seeds)
    figure = pair_figures.agreement(tables["agreement"], tables["networks"])
    assert_readable(figure)
    assert len(cells(figure)) == count * (count - 1) + count * (seeds > 1)
    places = {
        (round(text.get_position()[0]), round(text.get_position()[1])): text.get_text() for text in figure.axes[0].texts
    }
    first = tables["agreement"].query("a == @TEN[0] and b == @TEN[1]").iloc[0]
    assert places[0, 1] == f"{100 * first['agreement']:.0f}"
    assert places[1, 0] == f"{100 * first['equal_when_both_wrong']:.0f}"
    assert ("two seeds of one network" in words(figure)) == (seeds > 1)


@SIZES
def test_averages_show_single_networks_the_chosen_pair_and_all(made, count, seeds):
    tables = made(count, seeds)
    figure = pair_figures.ensembles(tables["ensembles"], tables["networks"], TEN)
    assert_readable(figure)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sum("pair chosen on validation" in name for name in names) == 1
    assert sum("seeds averaged" in name for name in names) == count * (seeds > 1)
    assert len(names) == count * (1 + (seeds > 1)) + 1 + (count > 2)
    assert sum("chosen" in text for text in cells(figure)) == 1, "the single network"
    assert style.display_name(TEN[0]) in names[0]


@SIZES
def test_the_gain_of_phase_2_is_drawn_from_both_means(made, count, seeds):
    tables = made(count, seeds)
    figure = gain_figures.phase_gain(tables["runs"], tables["networks"], TEN)
    assert_readable(figure)
    lines = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 5]
    ends = sorted(tuple(line.get_xdata()) for line in lines)
    columns = tables["networks"][["phase1_val_top1", "phase2_val_top1"]].to_numpy()
    np.testing.assert_allclose(ends, sorted(map(tuple, 100 * columns)))
    thin = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 1]
    assert len(thin) == count * seeds * (seeds > 1)
    assert words(figure).count("+10.0 points" if seeds == 1 else "+10.5 points (+9.3 … +11.7)") == count


@SIZES
def test_the_choice_shows_shares_limits_and_what_breaks_them(made, count, seeds):
    tables = made(count, seeds)
    limits = {"file_mb": 50, "latency_ms": None}
    selection = select(tables["networks"], tables["pairs"], tables["given"], limits)
    figure = choice_figures.choice(selection | {"headline": headline(selection)}, TEN)
    assert_readable(figure)
    bars, *panels = figure.axes
    widths = [patch.get_width() for patch in bars.patches]
    shares = [100 * (each["share_of_resamples"] or 0) for each in selection["candidates"]]
    np.testing.assert_allclose(widths, shares)
    over = sum(not each["within_limits"] for each in selection["candidates"])
    assert words(figure).count("beyond a limit") == over + 1, "the note says it once more"
    assert [len(panel.patches) for panel in panels] == [0, 0, 1, 0, 0], "one limit is shaded"


def test_a_choice_that_nothing_allows_is_drawn_too(made):
    tables = made(2, 1)
    selection = select(tables["networks"], tables["pairs"], tables["given"], {"file_mb": 1})
    figure = choice_figures.choice(selection | {"headline": headline(selection)}, TEN)
    assert_readable(figure)
    assert "No network keeps to the limits" in words(figure)


@pytest.mark.parametrize("kind", ["flowers102", "garden"])
def test_the_courses_numbers_are_beside_ours_only_where_they_compare(made, kind):
    crops = {"lesson": dict.fromkeys(COURSE, 224)}
    networks = made(5, 3)["networks"]
    figure = gain_figures.expected(expected(networks, kind, crops), TEN)
    assert_readable(figure)
    drawn = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 5]
    assert len(drawn) == (5 if kind == "flowers102" else 0)
    assert ("not comparable, and not drawn: drawn flowers" in words(figure)) == (kind == "garden")
    assert [bar.get_x() for bar in figure.axes[0].patches] == pytest.approx(
        [100 * COURSE[name].expected[0] for name in networks["architecture"]]
    )


def test_compound_scaling_is_drawn_as_multiples_of_b0(made):
    grown = scaling(made(5, 3)["networks"], {"lesson": {"efficientnet_b0": 224, "efficientnet_b3": 300}})
    figure = gain_figures.scaling(grown, TEN)
    assert_readable(figure)
    ratios = [1 + bar.get_width() for bar in figure.axes[0].patches]
    assert ratios[:4] == pytest.approx([1.2, 1.4, 300 / 224, 10.9 / 4.1])
    assert "test top-1 79.0 → 77.3 % (−1.7 points)" in words(figure)


@SIZES
def test_the_front_joins_networks_at_their_test_accuracy(made, count, seeds):
    tables = made(count, seeds)
    figure = comparison_figures.accuracy_against(
        tables["runs"], "parameters", "parameters", architectures=TEN, fronts=tables["pareto"]
    )
    assert_readable(figure)
    joined = [line for line in figure.axes[0].get_lines() if line.get_label() == "_front"]
    members = tables["pareto"].query("cost == 'parameters' and on_front").sort_values("value")
    assert len(joined) == (len(members) > 1)
    for line in joined:
        np.testing.assert_allclose(line.get_ydata(), 100 * members["test_top1"])


def test_random_backbones_are_open_in_every_figure():
    tables = compared(2, 1, pretrained=False, weights="none (random backbone)")
    selection = select(tables["networks"], tables["pairs"], tables["given"], {})
    drawn = [
        pair_figures.ensembles(tables["ensembles"], tables["networks"]),
        gain_figures.phase_gain(tables["runs"], tables["networks"]),
        choice_figures.choice(selection | {"headline": "x"}),
    ]
    for figure in drawn:
        assert style.RANDOM_NOTE in words(figure)
        markers = [line for axes in figure.axes for line in axes.get_lines() if line.get_marker() in "osD^v"]
        assert all(line.get_markerfacecolor() in ("white", "none") for line in markers)


def test_nothing_to_compare_is_said(made):
    one = made(2, 1)["networks"][:1]
    assert "no two networks that may be compared" in words(pair_figures.differences(made(2, 1)["pairs"][:0], one))
    assert "no two networks of one recipe" in words(pair_figures.agreement(made(2, 1)["agreement"][:0], one))
    nothing = scaling(one, {})
    assert "did not both run" in words(gain_figures.scaling(nothing))
