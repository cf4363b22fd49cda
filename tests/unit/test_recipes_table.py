"""docs/recipes.csv, docs/ablation.csv and the tables of docs/recipes.md come from the comparison of recipes."""

import csv
import re
import shutil

import pandas as pd
import pytest
from test_recipes import answers, runs

import recipes_table
from florilegium.recipes import ablation
from support import ROOT

HEADER = "recipe,architecture,seed,train_images,val_top1,test_top1,test_mean_per_class,ece,train_seconds"


@pytest.fixture
def finished(tmp_path):
    """Tables of a comparison and of another one, and the page to fill."""
    table = runs(
        *({"seed": seed, "val": 0.9 + seed / 100, "seconds": (60.0, 540.0)} for seed in (0, 1, 2)),
        {"recipe": "one_cycle", "val": 0.93, "seconds": (60.0, 240.0), "flip": 0.885},
    )
    table.drop(columns=["weights", "pretrained"]).to_csv(tmp_path / "recipes.csv", index=False)
    again = runs({"seed": 1, "val": 0.5}, {"recipe": "all", "architecture": "vgg11", "val": None})
    again.to_csv(tmp_path / "again.csv", index=False)
    right = [answers(90, 10, i) for i in range(3)] + [answers(92, 8, 1)]
    changes = {"one_cycle": {"resnet18": "phase2.schedule: step -> one_cycle; ema: null -> 0.98"}}
    ablation(table, right, "lesson", changes).to_csv(tmp_path / "gains.csv", index=False)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "recipes.md", tmp_path / "docs")
    return tmp_path


def cells(page, name):
    """The rows of the table between two comments, without its head."""
    lines = page.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_both_files_and_the_page_are_written(finished):
    files = [str(finished / name) for name in ("recipes.csv", "again.csv")]
    arguments = [*files, "--ablation", str(finished / "gains.csv"), "--docs", str(finished / "docs")]
    assert recipes_table.main(arguments) == 0
    assert (finished / "docs/recipes.csv").read_text().splitlines()[0] == HEADER
    table = pd.read_csv(finished / "docs/recipes.csv")
    assert len(table) == 5, "a run that two files hold counts from the first"
    page = (finished / "docs/recipes.md").read_text()
    lesson, one_cycle, everything = cells(page, "recipes")
    assert lesson[:4] == ["lesson", "ResNet18", "3", "1020"]
    assert lesson[4:] == ["91.0 ± 1.0 %", "87.0 ± 0.0 %", "–", "88.0 ± 0.0 %", "2.0 %", "10.0", "1.00"]
    assert one_cycle == [
        *("one\\_cycle", "ResNet18", "1", "1020", "93.0 %", "87.0 %", "88.5 %", "88.0 %", "2.0 %", "5.0", "0.50")
    ]
    assert everything[3:5] == ["2020", "–"] and everything[-1] == "–", "the lesson has no VGG11"
    first, second = cells(page, "ablation")
    assert first == ["lesson", "ResNet18", "3", "91.0 %", "–", "10.0", "1.00", ""]
    gain = re.match(r"\+2\.0 \((\S+) … \+(\S+)\)", second[4])
    assert gain and second[:4] == ["one\\_cycle", "ResNet18", "1", "93.0 %"]
    assert second[5:] == ["5.0", "0.50", "phase2.schedule: step -&gt; one\\_cycle; ema: null -&gt; 0.98"]
    assert "test" not in (finished / "docs/ablation.csv").read_text()


def test_without_an_ablation_its_table_stays(finished):
    page = finished / "docs/recipes.md"
    before = page.read_text().split("<!-- ablation -->")[1]
    assert recipes_table.main([str(finished / "recipes.csv"), "--docs", str(finished / "docs")]) == 0
    assert page.read_text().split("<!-- ablation -->")[1] == before
    assert not (finished / "docs/ablation.csv").exists()


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_a_file_that_is_something_else_is_refused_in_one_line(finished, capsys, content):
    (finished / "other.csv").write_text(content)
    assert recipes_table.main([str(finished / "other.csv"), "--docs", str(finished / "docs")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {finished / 'other.csv'} is no table of a finished comparison of recipes")


def test_the_page_quotes_the_committed_tables():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    for name, keys in (("recipes", ("recipe", "architecture")), ("ablation", ("recipe", "architecture"))):
        path, rows = ROOT / "docs" / f"{name}.csv", []
        if path.exists():
            with open(path, encoding="utf-8") as stream:
                rows = list(csv.DictReader(stream))
        groups = {}
        for row in rows:
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
        shown = cells(page, name)
        assert [line[0].replace("\\_", "_") for line in shown] == [recipe for recipe, _ in groups]
        for line, group in zip(shown, groups.values(), strict=True):
            place = 4 if name == "recipes" else 3
            values = [float(row["val_top1"]) for row in group if row["val_top1"]]
            mean = f"{100 * sum(values) / len(values):.1f}" if values else "–"
            assert line[place].split(" ")[0] == mean, line
