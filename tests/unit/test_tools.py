"""The commands beside the workflow: make config, orphans, same, and how make why reads a dry-run."""

import json
import shutil

import pytest
import yaml

import orphans
import run_config
import same
from florilegium.differences import differences
from florilegium.errors import UserError
from why import explanation, main, overlays, planned_jobs

RECORD = {
    "config": {"seeds": [42], "dataset": {"kind": "garden"}},
    "dataset_sha256": "d",
    "commit": "c-dirty",
    "code_sha256": "s",
    "versions": {"torch": "2.14.1"},
    "hardware": {"cores": 2},
    "written": "2026-01-01T00:00:00+00:00",
}


@pytest.fixture
def results(tmp_path):
    """A function that writes a result folder with the record above, changed."""

    def write(name, **changes):
        (tmp_path / name).mkdir()
        (tmp_path / name / "provenance.json").write_text(json.dumps(RECORD | changes))
        return str(tmp_path / name)

    return write


def test_differences_name_every_leaf_with_both_values():
    before = {"a": {"b": 1, "c": 2, "gone": {}}, "same": [1]}
    assert differences(before, {"a": {"b": 3, "c": 2}, "same": [1], "new": None}) == [
        "a.b: 1 -> 3",
        "a.gone: {} -> (none)",
        "new: (none) -> null",
    ]
    assert differences(before, before) == []


def test_the_time_of_writing_is_no_difference(results, capsys):
    assert same.main([results("a"), results("b", written="2027-01-01T00:00:00+00:00")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Both come from the same inputs."


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"config": {"seeds": [1], "dataset": {"kind": "garden"}}}, "    seeds: [42] -> [1]"),
        ({"dataset_sha256": "e"}, "photographs: different"),
        ({"code_sha256": "t"}, "    commit: c-dirty -> c-dirty"),
        ({"versions": {"torch": "2.15.0"}}, "    torch: 2.14.1 -> 2.15.0"),
    ],
)
def test_another_input_is_named(results, capsys, changes, line):
    assert same.main([results("a"), results("b", **changes)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert line in printed
    assert printed[-1] == "They come from different inputs."


def test_another_machine_is_named_and_no_input(results, capsys):
    assert same.main([results("a"), results("b", hardware={"cores": 64})]) == 0
    assert "    cores: 2 -> 64" in capsys.readouterr().out


def test_a_folder_without_provenance_is_refused(results, tmp_path):
    with pytest.raises(UserError, match="provenance.json does not exist; expected the `results` folder"):
        same.main([results("a"), str(tmp_path)])
    with pytest.raises(UserError, match="two result folders"):
        same.main([])


@pytest.fixture
def finished(tmp_path, monkeypatch, project):
    """A folder with config.yaml, a wanted run and three that are not; the tools work in it."""
    shutil.copy(project / "config.yaml", tmp_path)
    for run in ("lesson/resnet18/seed42", "lesson/resnet18/seed7", "lesson/vgg11/seed42", "old/resnet18/seed42"):
        (tmp_path / "results/runs" / run).mkdir(parents=True)
        (tmp_path / "results/runs" / run / "final.pth").write_bytes(b"0" * 1_500_000)
        log = tmp_path / "results/logs/fine_tune" / f"{run.replace('/', '.')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    (tmp_path / "results/data").mkdir()
    for size in (40, 256, 320):  # the lesson wants 256, and 320 for EfficientNet-B3
        (tmp_path / f"results/data/pixels_{size}.npy").write_bytes(b"0" * 200_000)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_orphans_are_listed_with_their_sizes_and_stay(finished, capsys):
    orphans.main(["config.yaml"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["0.2", "MB", "results/data/pixels_40.npy"],
        ["1.5", "MB", "results/runs/lesson/resnet18/seed7"],
        ["1.5", "MB", "results/runs/lesson/vgg11/seed42"],
        ["1.5", "MB", "results/runs/old/resnet18/seed42"],
    ]
    assert lines[4] == "4 not in config.yaml; `make orphans REMOVE=yes` removes them"
    assert len(list(finished.glob("results/runs/*/*/*/final.pth"))) == 4


def test_an_overlay_says_what_is_wanted_too(finished, capsys):
    (finished / "mine.yaml").write_text("seeds: [42, 7]\narchitectures: [resnet18, vgg11]\n")
    orphans.main(["config.yaml", "mine.yaml"])
    *found, summary = capsys.readouterr().out.splitlines()
    names = ("data/pixels_320.npy", "data/pixels_40.npy", "runs/old/resnet18/seed42")
    assert [line.split()[-1] for line in found] == [f"results/{name}" for name in names]
    assert summary == "3 not in config.yaml + mine.yaml; `make orphans CONFIG=mine.yaml REMOVE=yes` removes them"


def test_squares_of_the_mode_that_is_not_wanted_are_orphans(finished, capsys):
    (finished / "mine.yaml").write_text("recipe_definitions: {lesson: {resize_mode: center}}\n")
    (finished / "results/data/pixels_256_center.npy").touch()
    orphans.main(["config.yaml", "mine.yaml"])
    found = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if line.endswith(".npy")]
    assert found == [f"results/data/pixels_{side}.npy" for side in (256, 320, 40)]


def test_the_command_that_removes_names_every_overlay():
    assert orphans.removing(["a.yaml", "b.yaml"]) == 'make orphans CONFIG="a.yaml b.yaml" REMOVE=yes'


def test_removed_orphans_take_logs_and_empty_folders_with_them(finished, capsys):
    orphans.main(["config.yaml", "--remove"])
    assert capsys.readouterr().out.endswith("4 removed\n")
    left = [str(path.relative_to(finished / "results")) for path in sorted((finished / "results").rglob("*"))]
    assert [path for path in left if path.startswith("runs/")] == [
        "runs/lesson",
        "runs/lesson/resnet18",
        "runs/lesson/resnet18/seed42",
        "runs/lesson/resnet18/seed42/final.pth",
    ]
    assert [path for path in left if path.endswith(".npy")] == ["data/pixels_256.npy", "data/pixels_320.npy"]
    assert [path for path in left if path.endswith(".log")] == ["logs/fine_tune/lesson.resnet18.seed42.log"]
    orphans.main(["config.yaml"])
    assert capsys.readouterr().out == "no orphans: every run under results/runs is wanted\n"


def test_the_configuration_of_a_run_has_its_overrides_merged_in(project, tmp_path):
    (tmp_path / "mine.yaml").write_text("recipe_definitions: {lesson: {phase2: {epochs: 3}}}\n")
    paths = [str(project / "config.yaml"), str(tmp_path / "mine.yaml")]
    settings = run_config.resolved("lesson/efficientnet_b3", paths)
    assert (settings["crop"], settings["batch_size"], settings["phase2"]["epochs"]) == (300, 24, 3)
    assert settings["weights"] == "IMAGENET1K_V1"
    assert yaml.safe_load(yaml.safe_dump(settings)) == settings
    with pytest.raises(UserError, match="'lesson/efficientnet_b4' is not a run of .*; nearest: lesson/efficientnet_b"):
        run_config.resolved("lesson/efficientnet_b4", paths)


DRY_RUN = """\
rule train_head:
    input: results/data/manifest.csv
    output: results/runs/tiny/resnet18/seed42/phase1_best.pth
    jobid: 3
    reason: {reason}
    wildcards: recipe=tiny, architecture=resnet18, seed=42
    resources: tmpdir=/tmp

rule fine_tune:
    input: results/runs/tiny/resnet18/seed42/phase1_best.pth
    output: results/runs/tiny/resnet18/seed42/final.pth
    reason: Input files updated by another job: results/runs/tiny/resnet18/seed42/phase1_best.pth
    wildcards: recipe=tiny, architecture=resnet18, seed=42

rule all:
    input: results/runs/tiny/resnet18/seed42/final.pth
    reason: Input files updated by another job: results/runs/tiny/resnet18/seed42/final.pth
"""


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (
            "Params have changed since last execution: Union of exclusive params before and now across all output: "
            "before: {'crop': 32, 'phase1': {'epochs': 3}} now: {'crop': 32, 'phase1': {'epochs': 4}} ",
            "    phase1.epochs: 3 -> 4",
        ),
        ("Updated input files: scripts/train_head.py", "    changed: scripts/train_head.py"),
        ("Missing output files: a/phase1_best.pth, a/history.csv", "    missing: a/history.csv"),
        ("Code has changed since last execution", "    Code has changed since last execution"),
    ],
)
def test_a_dry_run_is_told_by_its_causes(reason, line):
    jobs = planned_jobs(DRY_RUN.format(reason=reason))
    assert [(job.rule, job.run) for job in jobs] == [
        ("train_head", "tiny resnet18 42"),
        ("fine_tune", "tiny resnet18 42"),
    ]
    lines = explanation(jobs).splitlines()
    assert lines[0] == "train_head: tiny resnet18 42"
    assert line in lines
    assert lines[-1] == "from their results: fine_tune 1"


def test_an_empty_dry_run_says_so():
    assert explanation(planned_jobs("Nothing to be done (all requested files are present and up to date).\n")) == (
        "nothing would run"
    )


def test_why_refuses_an_overlay_that_does_not_exist():
    assert overlays(["--configfile", "a.yaml", "b.yaml", "--cores", "2"]) == ["a.yaml", "b.yaml"]
    assert overlays(["--cores", "2"]) == []
    with pytest.raises(UserError, match="nowhere.yaml does not exist"):
        main(["--configfile", "nowhere.yaml"])
