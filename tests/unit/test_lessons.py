"""The lessons' pages hold computed numbers and exercises that work; their notebooks are tidy."""

import copy
import re
import xml.etree.ElementTree as ElementTree

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from snakemake.utils import update_config

import lesson_tables
from florilegium import lesson_pages, lesson_results, lessons, summaries
from florilegium.configuration import complete
from florilegium.errors import UserError
from florilegium.lesson_html import lesson_page
from support import ROOT

PAGES = {lesson: (ROOT / lessons.page(lesson)).read_text(encoding="utf-8") for lesson in lessons.NUMBERS}
EXERCISES = [
    pytest.param(block, id=f"{lesson} {number}")
    for lesson, text in PAGES.items()
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", lesson_pages.parts(text)[1], re.DOTALL), 1)
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("lesson", lessons.NUMBERS)
def test_the_tables_of_a_page_are_what_make_docs_computes(lesson):
    assert lesson_tables.MARKED.search(PAGES[lesson]) or lesson == "comparison"
    assert lesson_tables.filled(PAGES[lesson]) == PAGES[lesson]


@pytest.mark.parametrize("architecture", lessons.COURSE)
def test_the_parameters_of_all_stages_are_those_of_the_network(architecture):
    network = lesson_tables.network_of(architecture)
    table = summaries.stage_table(network, 224)
    assert table["parameters"].sum() == sum(parameter.numel() for parameter in network.parameters())
    assert f"{summaries.count(network):,}" in PAGES[architecture]


def test_only_the_head_learns_in_phase_1_and_everything_in_phase_2():
    network = lesson_tables.network_of("resnet18")
    phase2 = {"frozen_stages": 0, "batch_norm": "learn"}
    first, second = summaries.phase_table(network, phase2)[["learn", "frozen"]].to_numpy().tolist()
    head, everything = 512 * 102 + 102, summaries.count(network)
    assert (first, second) == ([head, everything - head], [everything, 0])


def test_stages_that_a_recipe_freezes_do_not_learn_in_phase_2():
    network = lesson_tables.network_of("resnet18")
    table = summaries.phase_table(network, {"frozen_stages": 2, "batch_norm": "frozen"})
    stem = 64 * 3 * 7 * 7 + 2 * 64
    assert table["frozen"][1] == stem and table["learn"][1] == summaries.count(network) - stem
    assert table["BatchNorm statistics"].tolist() == ["frozen", "frozen"]


def test_multiply_adds_of_a_network_without_numbers_are_those_of_the_literature():
    assert summaries.multiply_adds(lesson_tables.network_of("resnet18"), 224) == pytest.approx(1.81, abs=0.01)


@pytest.mark.parametrize("lesson", lessons.NUMBERS)
def test_every_page_has_its_drawing_its_idea_and_exercises(lesson):
    idea, exercises = lesson_pages.parts(PAGES[lesson])
    images = [piece for piece in lesson_pages.pieces(idea, ROOT / lessons.PAGES) if not isinstance(piece, str)]
    assert [path for _, path in images] == [ROOT / lessons.diagram(lesson)]
    assert all(len(alt) > 20 for alt, _ in images)
    assert ElementTree.parse(ROOT / lessons.diagram(lesson)).getroot().tag.endswith("svg")
    assert "```yaml" in exercises


@pytest.mark.parametrize("block", EXERCISES)
def test_an_exercise_is_a_configuration_that_is_accepted(block, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    before = copy.deepcopy(config)
    update_config(config, yaml.safe_load(block))
    assert complete(config) != complete(before), "it changes something"


def test_links_between_the_pages_lead_somewhere():
    texts = [*PAGES.values(), (ROOT / lessons.PAGES / "README.md").read_text(encoding="utf-8")]
    linked = {link for text in texts for link in re.findall(r"\]\((?!https?://)([^)#]+)", text)}
    assert [link for link in linked if not (ROOT / lessons.PAGES / link).exists()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_results(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", text)
    assert len([cell for cell in notebook.cells if cell.cell_type == "markdown"]) >= 5, "it explains what it does"
    assert max(cell.source.count("\n") for cell in notebook.cells) < 30, "the learner reads the idea, not plumbing"


def test_lessons_follow_the_course_and_other_networks_come_after():
    names = ["vgg11", "mobilenet_v2", "resnet18"]
    assert lessons.in_order(names) == ["resnet18", "mobilenet_v2", "vgg11"]
    assert [lessons.previous(name, names) for name in lessons.in_order(names)] == [None, "resnet18", "mobilenet_v2"]
    assert lessons.sources("vgg11") == []


def test_two_runs_beside_each_other_differ_by_points_and_by_factors():
    old = dict.fromkeys(lesson_results.COMPARED, 2.0) | {"test top-1": 0.5}
    new = dict.fromkeys(lesson_results.COMPARED, 3.0) | {"test top-1": 0.6}
    table = lesson_results.difference_table(old, new, ("old", "new")).set_index("")
    assert table.loc["test top-1"].tolist() == ["50.0 %", "60.0 %", "+10.0 points"]
    assert table.loc["parameters", "difference"] == "1.50 ×"


def test_the_first_guesses_are_the_largest_probabilities():
    names, logits = ["a", "b", "c"], np.log([0.2, 0.5, 0.3])
    assert lesson_results.guesses(logits, names, 2) == [("b", pytest.approx(0.5)), ("c", pytest.approx(0.3))]


def test_under_a_limit_only_networks_that_pay_for_their_cost_are_listed():
    rows = [("small", 1, 0.7), ("wasteful", 2, 0.6), ("large", 3, 0.8), ("unmeasured", np.nan, 0.9)]
    table = pd.DataFrame(rows, columns=["architecture", "file_mb", "val_top1"])
    assert lesson_results.choice_by_limit(table, "file_mb")["architecture"].tolist() == ["small", "large"]


def test_training_views_differ_and_the_evaluation_view_is_the_photograph(settings):
    from florilegium.lesson_views import views_of

    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    views = views_of(picture, settings | {"crop": 40}, 2, seed=0)
    assert views.shape == (3, 40, 40, 3)
    assert np.abs(views[0].astype(int) - picture).max() <= 1
    assert (views[1] != views[2]).any()
    assert torch.equal(torch.from_numpy(views), torch.from_numpy(views_of(picture, settings | {"crop": 40}, 2, seed=0)))


def test_a_notebook_that_was_not_executed_is_no_page():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    with pytest.raises(UserError, match=r"x\.ipynb: 1 cells were not executed"):
        lesson_page(notebook, "x.ipynb")
