"""Galleries show the mistakes they promise, each picture with what the tables say of it."""

import pandas as pd

from florilegium import galleries

TRAINING = {name: f"train/{name}" for name in ("aster", "rose", "tulip")}
NBSP = "\N{NO-BREAK SPACE}"


def predictions(*rows):
    table = pd.DataFrame(rows, columns=["path", "class_name", "predicted", "calibrated_probability"])
    return table.assign(correct=table["class_name"] == table["predicted"])


TABLE = predictions(
    ("1", "aster", "aster", 0.9),
    ("2", "aster", "rose", 0.6),
    ("3", "aster", "rose", 0.8),
    ("4", "aster", "tulip", 0.999),
    ("5", "rose", "rose", 1.0),
    ("6", "tulip", "aster", 0.7),
)


def paths(pictures):
    return [picture and picture.path for picture in pictures]


def test_confident_mistakes_are_the_wrong_answers_the_surest_first():
    found = galleries.confident_mistakes(TABLE)
    assert paths(found) == ["4", "3", "6", "2"]
    assert found[0].text == f"aster\n→ tulip, >{NBSP}99{NBSP}%"
    assert found[1].text == f"aster\n→ rose, 80{NBSP}%"


def test_a_confused_pair_stands_between_training_pictures_of_both_classes():
    pairs = pd.DataFrame({"class_name": ["aster"], "predicted": ["rose"], "images": [2], "share": [0.5]})
    (row,) = galleries.confused_pairs(pairs, TABLE, TRAINING)
    assert paths(row.pictures) == ["train/aster", "3", "2", None, None, "train/rose"]
    assert [picture.training for picture in row.pictures if picture] == [True, False, False, True]
    assert row.text == "aster\ntaken for\nrose:\n2 of 4 images"


def test_the_hardest_classes_show_each_confusion_once_before_any_comes_again():
    per_class = pd.DataFrame({"class_name": ["aster", "rose", "tulip"], "support": [4, 1, 1], "recall": [0.25, 1, 0]})
    found = galleries.hardest_classes(per_class, TABLE, TRAINING)
    assert [row.text.split(":")[0] for row in found] == ["tulip", "aster"], "the hardest first, none without mistakes"
    assert paths(found[1].pictures) == ["train/aster", "3", "4", "2"]
    assert found[1].text == "aster:\nrecall 25 %\nof 4 images"


def test_without_mistakes_there_is_nothing_to_show():
    none = TABLE[TABLE["correct"]]
    per_class = pd.DataFrame({"class_name": ["aster"], "support": [1], "recall": [1.0]})
    assert galleries.confident_mistakes(none) == []
    assert galleries.hardest_classes(per_class, none, TRAINING) == []


def test_a_probability_is_called_certain_only_when_it_is():
    found = [galleries.percent(share).replace(NBSP, " ") for share in (1, 0.9999, 0.994, 0.5)]
    assert found == ["100 %", "> 99 %", "99 %", "50 %"]
