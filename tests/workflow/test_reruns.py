"""docs/reruns.md holds: every key of the schema has a row, and the real Snakefile plans what its row says, no more."""

import contextlib
import copy
import os
import re
import shutil
import time

import pytest
import torch
import yaml
from snakemake.utils import update_config

from florilegium.schema import resolve, schema
from support import ROOT, Workflow
from why import explanation, planned_jobs

PAGE = (ROOT / "docs" / "reruns.md").read_text(encoding="utf-8")
SMALL = yaml.safe_load((ROOT / "tests" / "small.yaml").read_text(encoding="utf-8"))
FOLDER = {
    "dataset": {"kind": "folder", "root": "photographs"},
    "architectures": ["mobilenet_v2"],
    "weights": {"default": "none", "mobilenet_v2": "backbone.pth"},
    "recipe_definitions": {"tiny": {"batch_size": 8, "phase1": {"epochs": 1}, "phase2": {"epochs": 1}}},
}
OVERRIDES = "recipe_definitions.<recipe>.overrides.<architecture>"


def rows(heading):
    """Cells of the table below a heading of the page, without its first two lines."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


READERS = {step.strip("`"): set(re.findall(r"`(\w+)`", readers)) for step, readers in rows("Who reads whose results")}
KEYS, RUNS, OTHERS = rows("Keys"), rows("Runs added and removed"), rows("Everything else")


def following(step):
    """A step and all that reads its results, directly or not."""
    found, waiting = set(), [step]
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting += READERS.get(step, ())
    return found


def steps_in(text):
    """The rules that the last cell of a row promises to run."""
    if text.startswith("nothing"):
        return set()
    found = {step for name in re.findall(r"from `(\w+)`", text) for step in following(name)}
    found -= set(re.findall(r"without `(\w+)`", text))
    if "from `compare_recipes`" not in text:
        found -= following("compare_recipes")  # the runs here have one recipe
    return found | set(re.findall(r"`(\w+)` at its size", text)) | {"provenance"}


def nested(path, value):
    """{"a": {"b": value}} for the path a.b; a value that is a section belongs to the key above the last."""
    keys = path.replace("<recipe>", "tiny").replace("<architecture>", "resnet18").split(".")
    sections = isinstance(value, dict) and len(keys) > 1 and keys[-2] != "overrides"
    for key in reversed(keys[:-1] if sections else keys):
        value = {key: value}
    return value


def plan(workflow, config, *arguments):
    """{rule: runs that it would run for} of a dry-run."""
    (workflow.folder / "changed.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    planned = {}
    for job in planned_jobs(workflow.plan(*arguments, config="changed.yaml")):
        planned.setdefault(job.rule, set()).add(job.run)
    return planned


def runs_in(planned):
    """The runs, `recipe architecture seed`, that a plan touches."""
    return {run for runs in planned.values() for run in runs if run.count(" ") == 2}


def merged(base, changes):
    """`base` with the changes of an overlay, as Snakemake merges them."""
    config = copy.deepcopy(base)
    update_config(config, changes)
    return config


@pytest.fixture(scope="module")
def folder_run(tmp_path_factory, small_run):
    """A finished run on a folder of pictures, with a backbone from a file."""
    workflow = Workflow(tmp_path_factory.mktemp("folder"))
    shutil.copytree(small_run.folder / "results/data/garden/train", workflow.folder / "photographs")
    trained = torch.load(small_run.folder / "results/runs/tiny/mobilenet_v2/seed42/final.pth", weights_only=True)
    backbone = {name: value for name, value in trained["state_dict"].items() if name.startswith("features.")}
    torch.save(backbone, workflow.folder / "backbone.pth")
    (workflow.folder / "finished.yaml").write_text(yaml.safe_dump(merged(SMALL, FOLDER)))
    done = workflow.snakemake(config="finished.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return workflow


# ---- The tables themselves


def leaf_keys(part, path=""):
    """Paths of all keys of the schema that hold a value; overrides repeat the recipe's keys and count as one."""
    part = resolve(part)
    below = {f"{path}.{key}" if path else key: value for key, value in part.get("properties", {}).items()}
    if isinstance(part.get("additionalProperties"), dict):
        others = resolve(part["additionalProperties"])
        below[f"{path}.<{others['title']}>"] = others
    if not below or path.endswith("overrides.<architecture>"):
        return {path}
    return {leaf for key, value in below.items() for leaf in leaf_keys(value, key)}


def test_every_key_of_the_schema_has_a_row_and_every_row_a_key():
    named = {re.match(r"`([^`]+)`", row[0])[1] for row in KEYS} | {row[1].strip("`") for row in RUNS}
    assert named - {"recipe_definitions"} == leaf_keys(schema())


def test_the_table_of_readers_is_the_graph_of_the_rules(small_run):
    edges = set()
    two = merged(SMALL, {"recipes": ["tiny", "lesson"]})
    (small_run.folder / "two.yaml").write_text(yaml.safe_dump(two))
    for config in ("tests/small.yaml", "two.yaml", None):  # drawn flowers; two recipes; then the downloads
        graph = small_run.snakemake("--rulegraph", config=config).stdout
        names = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
        edges |= {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", graph) if names[b] != "all"}
    assert edges == {(step, reader) for step, readers in READERS.items() for reader in readers}


# ---- Keys

KEY_CASES = [pytest.param(*row, id=row[0].replace("`", "")) for row in KEYS]
OVERRIDDEN = [case for case in KEY_CASES if "<recipe>" in case.id and not case.id.endswith(("extends", "train_on"))]
# An override reaches every step by the same function: one key of each answer shows it.
RECIPE_KEYS = list({case.values[2]: case for case in OVERRIDDEN}.values())


@pytest.mark.parametrize(("key", "example", "text"), KEY_CASES)
def test_a_changed_key_runs_what_its_row_says_and_nothing_else(request, key, example, text):
    folder = "(kind folder" in key
    workflow = request.getfixturevalue("folder_run" if folder else "small_run")
    (workflow.folder / "names.csv").touch()
    base = merged(SMALL, FOLDER) if folder else SMALL
    planned = plan(workflow, merged(base, nested(key.split("`")[1], yaml.safe_load(example.strip("`")))))
    assert set(planned) == steps_in(text)
    if "of that architecture" in text:
        assert runs_in(planned) == {"tiny resnet18 42"}


@pytest.mark.parametrize(("key", "example", "text"), RECIPE_KEYS)
def test_a_key_overridden_for_one_architecture_runs_the_same_for_that_one(small_run, key, example, text):
    # mobilenet_v2 is the first: `plot_data` shows pixels of its size.
    path = key.split("`")[1].replace("<recipe>.", "<recipe>.overrides.mobilenet_v2.")
    planned = plan(small_run, merged(SMALL, nested(path, yaml.safe_load(example.strip("`")))))
    assert set(planned) == steps_in(text)
    assert runs_in(planned) == {"tiny mobilenet_v2 42"}


# ---- Runs added and removed


@pytest.mark.parametrize(("key", "example", "text"), [pytest.param(*row[1:], id=row[0]) for row in RUNS])
def test_a_run_more_or_less_runs_its_own_steps_and_the_comparison(small_run, key, example, text):
    value, path = yaml.safe_load(example.strip("`")), key.strip("`")
    changes = {path: value} if "." not in path else nested(path.replace("<architecture>", "resnet50"), value)
    planned = plan(small_run, merged(SMALL, changes))
    assert set(planned) == steps_in(text)
    finished = {"tiny mobilenet_v2 42", "tiny resnet18 42"}
    assert not runs_in(planned) & finished
    assert bool(runs_in(planned)) == ("of that run" in text)
    kept = list((small_run.folder / "results/runs").glob("*/*/seed*/final.pth"))
    assert len(kept) == 2, "planning removes nothing"


# ---- Everything else


@contextlib.contextmanager
def replaced(path, content):
    """A file with other content, or none, for a while; its time moves with it."""
    before = path.read_bytes()
    try:
        path.write_bytes(content) if content is not None else path.unlink()
        yield
    finally:
        path.write_bytes(before)


def edited(name):
    """The change: a line more at the end of a file of the project."""
    return lambda workflow: replaced(workflow.folder / name, (workflow.folder / name).read_bytes() + b"# edited\n")


def touched(*patterns):
    """The change: files are newer than every result, their content is the same."""

    @contextlib.contextmanager
    def change(workflow):
        now = time.time()
        for path in (path for pattern in patterns for path in workflow.folder.glob(pattern)):
            os.utime(path, (now, now))
        yield

    return change


def picture(name, content):
    """The change: the first picture `name` pattern of the folder gets other content, or goes."""
    return lambda workflow: replaced(next(workflow.folder.glob(f"photographs/{name}")), content(workflow))


@contextlib.contextmanager
def picture_added(workflow):
    first = next(workflow.folder.glob("photographs/*/*"))
    copied = shutil.copy(first, first.with_name(f"one_more{first.suffix}"))
    yield
    os.remove(copied)


@contextlib.contextmanager
def features_deleted(workflow):
    folder = workflow.folder / "results/runs/tiny/resnet18/seed42/features"
    folder.rename(folder.with_name("elsewhere"))
    yield
    folder.with_name("elsewhere").rename(folder)


METRICS = "results/runs/tiny/resnet18/seed42/metrics.json"
PROFILE = "set-threads: {fine_tune: 1}\nset-resources: {fine_tune: {gpu: 2, mem_mb: 99}}\nresources: [gpu=4]\n"
SWAPPED_EPOCHS = {"phase1": {"epochs": 2}, "phase2": {"epochs": 3}}
SWAPPED_RATES = {"phase2": {"backbone_learning_rate": 0.001, "head_learning_rate": 0.0001}}

# What each row of the last table does: to the recipe, to files (of the small or the folder run), to the command line.
CHANGES = {
    "two numbers swapped: the epochs of the two phases": {"recipe": SWAPPED_EPOCHS},
    "two numbers swapped: the learning rates of phase 2": {"recipe": SWAPPED_RATES},
    "keys in another order": {"reverse": True},
    "a comment in `config.yaml`": {"files": edited("config.yaml")},
    "threads, memory, GPUs, another profile": {"arguments": ("--workflow-profile", "other")},
    "scripts and library modules touched (a checkout, a copy)": {"files": touched("scripts/**/*.py")},
    "the script of `evaluate` edited": {"files": edited("scripts/evaluate.py")},
    "the library module `comparison` edited": {"files": edited("scripts/florilegium/comparison.py")},
    "the library module `augment` edited": {"files": edited("scripts/florilegium/augment.py")},
    "the library module `configuration` edited": {"files": edited("scripts/florilegium/configuration.py")},
    "a photograph of a folder touched": {"folder": True, "files": touched("photographs/*/*")},
    "a photograph of a folder changed": {"folder": True, "files": picture("*/*", lambda _: b"another")},
    "a photograph of a folder added": {"folder": True, "files": picture_added},
    "a photograph of a folder removed": {"folder": True, "files": picture("*/*", lambda _: None)},
    "a weights file touched": {"folder": True, "files": touched("backbone.pth")},
    "a weights file replaced": {"folder": True, "files": edited("backbone.pth")},
    "`metrics.json` of a run deleted": {"files": lambda workflow: replaced(workflow.folder / METRICS, None)},
    "`features/` of a finished run deleted": {"files": features_deleted},
    "`metrics.json` of a run touched": {"files": touched(METRICS)},
}


def test_every_other_change_of_the_page_is_made_here():
    assert [row[0] for row in OTHERS] == list(CHANGES)


def reverse(config):
    """The same mapping with the keys of every level the other way round."""
    return {key: reverse(config[key]) for key in reversed(config)} if isinstance(config, dict) else config


@pytest.mark.parametrize(("change", "text"), [pytest.param(*row, id=row[0]) for row in OTHERS])
def test_any_other_change_runs_what_its_row_says_and_nothing_else(request, change, text):
    what = CHANGES[change]
    workflow = request.getfixturevalue("folder_run" if "folder" in what else "small_run")
    config = merged(SMALL, FOLDER if "folder" in what else {"recipe_definitions": {"tiny": what.get("recipe", {})}})
    triggers = (ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8").split("\nrerun-triggers")[1]
    (workflow.folder / "other").mkdir(exist_ok=True)
    (workflow.folder / "other/config.yaml").write_text(f"{PROFILE}rerun-triggers{triggers}")
    with what.get("files", lambda _: contextlib.nullcontext())(workflow):
        planned = plan(workflow, reverse(config) if "reverse" in what else config, *what.get("arguments", ()))
    assert set(planned) == (steps_in(text) if text != "nothing" else set())
    if "of that run" in text:
        assert runs_in(planned) == {"tiny resnet18 42"}
    assert plan(workflow, config if not what.get("recipe") else SMALL) == {}, "and back again"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"phase1": {"learning_rate": 0.002}}, ["    phase1.learning_rate: 0.001 -> 0.002"]),
        ({"phase2": {"epochs": 3}, "weight_decay": 0.0}, ["    weight_decay: 0.01 -> 0.0"]),
        (
            {"resize": 48},
            ["    no longer reads results/data/pixels_40.npy", "    reads results/data/pixels_48.npy"],
        ),
    ],
)
def test_why_names_the_key_with_both_values_and_the_runs(small_run, monkeypatch, changes, lines):
    monkeypatch.chdir(small_run.folder)
    config = merged(SMALL, {"recipe_definitions": {"tiny": changes}})
    (small_run.folder / "changed.yaml").write_text(yaml.safe_dump(config))
    said = explanation(planned_jobs(small_run.plan(config="changed.yaml"))).splitlines()
    assert [line for line in lines if line not in said] == []
    headings = [above for above, line in zip(said, said[1:], strict=False) if line == lines[0]]
    assert any(heading.endswith(": tiny mobilenet_v2 42, tiny resnet18 42") for heading in headings)
    assert said[-1].startswith("from their results: ")


def test_nothing_to_do_is_said(small_run):
    done = small_run.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr
