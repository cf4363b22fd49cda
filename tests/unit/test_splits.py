"""Folds are stratified, disjoint and repeatable; a run sees the one that its seed holds out."""

import pandas as pd
import pytest

from florilegium import files, splits
from florilegium.errors import UserError
from florilegium.manifest import Manifest

FOLDS = {"seed": 42, "folds": 3}


def table(train=6, val=5, test=4, classes=("aster", "rose")):
    """A manifest without files."""
    rows = [
        (f"{split}/{name}/{number}.jpg", label, name, split)
        for split, count in (("train", train), ("val", val), ("test", test))
        for label, name in enumerate(classes)
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["path", "label", "class_name", "split"])


@pytest.fixture
def manifest(tmp_path):
    """A function: the manifest of `table()` in three folds, as the run with a seed reads it."""
    listed = table()
    listed["fold"] = splits.folds_of(listed, FOLDS)
    listed.to_csv(tmp_path / "manifest.csv", index=False)
    files.write_json(tmp_path / "dataset.json", {"folds": 3, "protocol": splits.protocol(3)})
    return lambda seed: Manifest(tmp_path / "manifest.csv", tmp_path / "dataset.json", seed)


def test_every_picture_outside_of_test_is_in_one_fold_and_classes_are_spread_evenly():
    listed = table()
    fold = splits.folds_of(listed, FOLDS)
    assert fold[listed["split"] == "test"].isna().all()
    assert sorted(fold.dropna().unique()) == [0, 1, 2]
    counts = listed.assign(fold=fold).groupby(["fold", "class_name"]).size()
    assert counts.sum() == 22 and set(counts) == {3, 4}


def test_the_same_seed_cuts_the_same_folds():
    listed = table()
    assert splits.folds_of(listed, FOLDS).equals(splits.folds_of(listed, FOLDS))
    assert not splits.folds_of(listed, FOLDS).equals(splits.folds_of(listed, FOLDS | {"seed": 43}))


def test_without_folds_nothing_is_cut():
    assert splits.folds_of(table(), {"folds": None}).isna().all()


@pytest.mark.parametrize(("folds", "listed"), [(12, table()), (2, table(train=1, val=0))])
def test_more_folds_than_pictures_of_a_class_are_refused(folds, listed):
    with pytest.raises(UserError, match=f"dataset.split.folds: {folds}, but class 'aster' has"):
        splits.folds_of(listed, FOLDS | {"folds": folds})


def test_the_runs_of_all_seeds_validate_on_every_picture_once(manifest):
    held_out = [manifest(seed).rows("val").tolist() for seed in range(3)]
    assert sorted(sum(held_out, [])) == list(range(22)), "train and val of the list, each once"
    for seed, rows in enumerate(held_out):
        run = manifest(seed)
        assert sorted([*rows, *run.rows("train")]) == list(range(22))
        assert run.rows("test").tolist() == list(range(22, 30)), "test is the same for all"
        assert run.fold == seed


def test_seeds_go_round_the_folds(manifest):
    assert manifest(44).fold == 2
    assert manifest(44).rows("val").tolist() == manifest(2).rows("val").tolist()


def test_labels_and_images_follow_the_fold(manifest):
    run = manifest(1)
    assert run.labels("val").tolist() == run.table["label"].iloc[run.rows("val")].tolist()
    assert run.images("train")["split"].unique().tolist() == ["train"]


def test_a_reader_without_a_seed_sees_the_splits_as_listed(manifest):
    assert [len(manifest(None).rows(split)) for split in splits.SPLITS] == [12, 10, 8]
    assert manifest(None).fold is None


def test_folds_need_no_validation_split():
    listed = table(val=0)
    splits.check_classes(listed, folds=3)
    with pytest.raises(UserError, match="zero val images"):
        splits.check_classes(listed)


def test_the_protocol_is_said_in_words():
    assert splits.protocol(None) == "fixed split"
    assert splits.protocol(5).startswith("5-fold cross-validation: seed s holds out fold s mod 5 of train + val")
