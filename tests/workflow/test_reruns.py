"""What a change of the configuration runs again, and what it does not."""

import time

import pytest


def test_nothing_to_do_is_said_quickly(small_run):
    start = time.monotonic()
    done = small_run.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr
    assert time.monotonic() - start < 60  # the promise is 5 s; this only catches a plan that loads torch or trains


def recipe(text):
    return ("--config", f"recipe_definitions={{tiny: {{{text}}}}}")


DOWNSTREAM = {"evaluate", "export_onnx", "measure_cost", "plot_run"}
TOGETHER = {"compare", "plot_comparison", "provenance"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (recipe("phase1: {learning_rate: 0.002}"), {"train_head", "fine_tune"} | DOWNSTREAM | TOGETHER),
        (recipe("phase1: {epochs: 4}"), {"extract_features", "train_head", "fine_tune"} | DOWNSTREAM | TOGETHER),
        (recipe("phase2: {epochs: 3}"), {"fine_tune"} | DOWNSTREAM | TOGETHER),
        (
            recipe("phase2: {backbone_learning_rate: 0.001, head_learning_rate: 0.0001}"),
            {"fine_tune"} | DOWNSTREAM | TOGETHER,
        ),
        (
            recipe("augmentation: {rotation: 10}"),
            {"extract_features", "train_head", "fine_tune"} | DOWNSTREAM | TOGETHER,
        ),
    ],
    ids=["head learning rate", "phase-1 epochs", "phase-2 epochs", "two rates swapped", "augmentation"],
)
def test_a_change_runs_its_own_steps_again_and_no_other(small_run, change, expected):
    assert set(small_run.planned(*change)) == expected


def test_a_new_seed_adds_its_own_jobs_and_the_comparison(small_run):
    planned = small_run.planned("--config", "seeds=[42,43]")
    assert set(planned) == {"extract_features", "train_head", "fine_tune"} | DOWNSTREAM | TOGETHER
    assert planned["fine_tune"] == 2  # one for each architecture, none of the old seed


def test_reordered_keys_and_threads_run_nothing_again(small_run):
    reordered = "phase2: {epochs: 2}, phase1: {epochs: 3}, batch_size: 16, crop: 32, resize: 40"
    done = small_run.snakemake("--dry-run", *recipe(reordered), cores=1)
    assert "fine_tune" not in done.stdout + done.stderr


def test_an_edited_library_module_runs_the_steps_that_import_it(small_run):
    module = small_run.folder / "scripts" / "florilegium" / "metrics.py"
    before = module.read_bytes()
    try:
        module.write_bytes(before + b"\n# edited\n")
        assert set(small_run.planned()) == {"evaluate", "plot_run", "compare", "plot_comparison"}
    finally:
        module.write_bytes(before)
    assert small_run.planned() == {}
