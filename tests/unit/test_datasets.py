"""A folder of photographs becomes a table: every file once, labels by name, a split that anyone can repeat."""

import pytest
from scipy.io import loadmat

from florilegium import datasets
from florilegium.errors import UserError

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2, "seed": 42}


@pytest.fixture
def folder(tmp_path, photograph):
    """A function that fills a folder: `{class path: pictures}`."""

    def fill(counts, root=tmp_path / "photos"):
        for place, (name, count) in enumerate(counts.items()):
            (root / name).mkdir(parents=True)
            for number in range(count):
                photograph(root / name / f"{number}.jpg", 1000 * place + number)
        return root

    return fill


def listed(root, **changes):
    return datasets.list_photographs("folder", root, SHARES | changes)


def refusal(root):
    with pytest.raises(UserError) as caught:
        listed(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_with_splits_keeps_them(folder):
    root = folder({f"{split}/{name}": 2 for split in ("train", "val", "test") for name in ("rose", "aster")})
    table = listed(root)
    assert list(table.columns) == ["path", "label", "class_name", "split"]
    assert len(table) == 12 and table["path"].is_unique
    for row in table.itertuples():
        assert row.path.startswith(f"{root / row.split / row.class_name}/")
    assert dict(zip(table["class_name"], table["label"], strict=True)) == {"aster": 0, "rose": 1}
    assert table["split"].drop_duplicates().tolist() == ["train", "val", "test"]


def test_a_folder_without_splits_is_drawn_class_by_class_with_the_shares_asked_for(folder):
    root = folder({"aster": 20, "rose": 10, "tulip": 3})
    table = listed(root)
    counts = table.groupby(["class_name", "split"]).size().unstack()
    assert counts.loc["aster"].to_dict() == {"train": 12, "val": 4, "test": 4}
    assert counts.loc["rose"].to_dict() == {"train": 6, "val": 2, "test": 2}
    assert counts.loc["tulip"].to_dict() == {"train": 1, "val": 1, "test": 1}, "at least one each"
    assert len(table) == 33 and table["path"].is_unique


@pytest.mark.parametrize("train", [0.9, 0.98, 0.05])
def test_extreme_shares_still_leave_a_picture_of_every_class_in_every_split(folder, train):
    root = folder({"aster": 8, "rose": 5})
    rest = (1 - train) / 2
    table = listed(root, train=train, val=rest, test=rest)
    assert (table.groupby(["class_name", "split"]).size().unstack(fill_value=0) > 0).all(axis=None)


def test_the_same_seed_draws_the_same_split_wherever_the_folder_lies(folder, tmp_path):
    first = folder({"aster": 15, "rose": 12})
    second = folder({"rose": 12, "aster": 15}, tmp_path / "elsewhere" / "copy")

    def split_of(root, **changes):
        table = listed(root, **changes)
        return {path.removeprefix(str(root)): split for path, split in zip(table["path"], table["split"], strict=True)}

    assert split_of(first) == split_of(first) == split_of(second)
    assert split_of(first) != split_of(first, seed=43)


def test_more_pictures_of_one_class_leave_the_split_of_the_others(folder, photograph):
    root = folder({"aster": 15, "rose": 12})
    before = listed(root).query("class_name == 'aster'")["split"].tolist()
    photograph(root / "rose" / "new.jpg", 99)
    assert listed(root).query("class_name == 'aster'")["split"].tolist() == before


def test_names_with_spaces_umlauts_and_odd_words_are_classes_like_others(folder):
    names = ["Käthes Maiglanz", "null", "NA", "0012", "rose, wild"]
    table = listed(folder(dict.fromkeys(names, 3)))
    assert sorted(table["class_name"].unique()) == sorted(names)
    assert table.groupby("class_name")["label"].nunique().eq(1).all()


def test_other_files_and_hidden_folders_are_passed_over(folder):
    root = folder({"aster": 3, "rose": 3, ".thumbnails": 3})
    (root / "aster" / "notes.txt").write_text("by the fence")
    (root / "aster" / ".DS_Store").touch()
    assert len(listed(root)) == 6


def test_pictures_in_folders_below_a_class_belong_to_it(folder):
    assert listed(folder({"aster/2023": 2, "aster/2024": 2, "rose": 4})).groupby("class_name").size().tolist() == [4, 4]


def test_what_cannot_be_listed_is_refused_by_name(folder, tmp_path):
    assert "nowhere is not a folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no class folders" in refusal(tmp_path / "empty")
    halves = folder({"train/rose": 1, "val/rose": 1}, tmp_path / "halves")
    assert "has train, val but no test" in refusal(halves)
    hollow = folder({"rose": 3, "tulip": 0}, tmp_path / "hollow")
    assert "class 'tulip'" in refusal(hollow) and "holds no pictures" in refusal(hollow)
    scarce = folder({"rose": 3, "tulip": 2}, tmp_path / "scarce")
    assert "class 'tulip' has 2 picture(s); expected at least 3" in refusal(scarce)
    untested = folder({"train/rose": 1, "val/rose": 1}, tmp_path / "untested")
    (untested / "test").mkdir()
    assert f"{untested / 'test'} holds no class folders" in refusal(untested)


def test_missing_flowers102_says_which_files_with_which_checksums_go_where(tmp_path):
    with pytest.raises(UserError) as caught:
        datasets.list_photographs("flowers102", tmp_path / "flowers-102", SHARES)
    message = str(caught.value)
    assert "\n" not in message and str(tmp_path / "flowers-102") in message
    # The checksums of the University of Oxford's files, as torchvision publishes them.
    for name, md5 in {
        "102flowers.tgz": "52808999861908f626f3c1f4e79d11fa",
        "setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c",
        "imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
    }.items():
        assert name in message and md5 in message


def test_the_official_split_of_flowers102_is_listed_with_its_names(flowers102):
    table = datasets.list_photographs("flowers102", flowers102, SHARES)
    assert table["split"].value_counts().to_dict() == {"test": 6149, "train": 1020, "val": 1020}
    assert table["path"].is_unique
    names = table.drop_duplicates("label").set_index("label")["class_name"].sort_index()
    assert len(names) == 102 == names.nunique()
    assert (names.iloc[0], names.iloc[76], names.iloc[101]) == ("pink primrose", "passion flower", "blackberry lily")
    assert table.query("split == 'test'").groupby("label").size().agg(["min", "max"]).tolist() == [20, 238]


def test_every_flower_has_the_label_of_the_official_file_and_its_name(flowers102):
    table = datasets.list_photographs("flowers102", flowers102, SHARES)
    official = loadmat(flowers102 / "imagelabels.mat")["labels"].ravel()  # counts images and classes from 1
    splits = loadmat(flowers102 / "setid.mat")
    numbers = table["path"].str.extract(r"image_(\d+)\.jpg$")[0].astype(int)
    assert (table["label"].to_numpy() + 1 == official[numbers - 1]).all()
    for split, key in {"train": "trnid", "val": "valid", "test": "tstid"}.items():
        assert set(numbers[table["split"] == split]) == set(splits[key].ravel())
    by_number = table.set_index(numbers)["class_name"]
    assert (by_number[6734], by_number[1]) == ("pink primrose", "passion flower"), "as the category page shows them"


def test_the_flowers_are_found_by_their_folder_whatever_its_name_and_by_its_parent(flowers102, tmp_path):
    renamed = tmp_path / "my flowers"
    renamed.symlink_to(flowers102)
    roots = {flowers102: flowers102, flowers102.parent: flowers102, renamed: renamed}
    for root, folder in roots.items():
        paths = datasets.list_photographs("flowers102", root, SHARES)["path"]
        assert paths.str.startswith(f"{folder}/jpg/image_").all()


def listed_csv(path, rows, **changes):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return datasets.list_photographs("csv", path, SHARES | changes)


def test_a_csv_with_splits_is_taken_as_it_is(tmp_path):
    elsewhere = tmp_path / "elsewhere" / "b.jpg"
    rows = ["label,path,note,split", "7,my photos/a.jpg,x,test", f"NA,{elsewhere},,train", "7,c.jpg,,val"]
    table = listed_csv(tmp_path / "labels.csv", rows)
    assert table["path"].tolist() == [str(elsewhere), str(tmp_path / "c.jpg"), str(tmp_path / "my photos" / "a.jpg")]
    assert table["class_name"].tolist() == ["NA", "7", "7"], "labels are text, whatever they look like"
    assert table["label"].tolist() == [1, 0, 0]
    assert table["split"].tolist() == ["train", "val", "test"]


def test_a_csv_without_splits_is_drawn_as_a_folder_is(folder, tmp_path):
    root = folder({"aster": 10, "rose": 5})
    files = sorted(root.rglob("*.jpg"))
    rows = ["path,label", *(f"{file.relative_to(tmp_path)},{file.parent.name}" for file in files)]
    assert listed_csv(tmp_path / "labels.csv", rows).equals(listed(root))


def test_a_csv_from_a_spreadsheet_may_begin_with_a_byte_order_mark(tmp_path):
    rows = ["\ufeffpath,label,split", *(f"{part}.jpg,Gänseblümchen,{part}" for part in ("train", "val", "test"))]
    assert set(listed_csv(tmp_path / "labels.csv", rows)["class_name"]) == {"Gänseblümchen"}


NAMES = {
    "names.csv": "name,shown\nn01,Käthes Maiglanz\nn02,no\n",
    "names.yaml": "n02: no\nn01: Käthes Maiglanz\n",
    "names.json": '{"n01": "Käthes Maiglanz", "n02": "no"}',
}


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_gives_the_names_that_are_shown_and_leaves_labels_and_splits(folder, tmp_path, name):
    root = folder({"n01": 6, "n02": 5})
    (tmp_path / name).write_text(NAMES[name], encoding="utf-8")
    plain, shown = listed(root), datasets.list_photographs("folder", root, SHARES, tmp_path / name)
    assert shown["class_name"].tolist() == plain["class_name"].map({"n01": "Käthes Maiglanz", "n02": "no"}).tolist()
    columns = ["path", "label", "split"]
    assert shown[columns].equals(plain[columns])


def test_with_folds_a_folder_needs_no_validation_split(folder):
    root = folder({f"{split}/{name}": 4 for split in ("train", "test") for name in ("rose", "aster")})
    assert listed(root, folds=2)["split"].value_counts().to_dict() == {"train": 8, "test": 8}
    assert "no val" in refusal(root)


def test_a_link_to_a_picture_is_a_picture_and_a_broken_link_is_left_for_the_audit(folder):
    root = folder({"aster": 4, "rose": 3})
    (root / "rose" / "linked.jpg").symlink_to(root / "aster" / "0.jpg")
    (root / "rose" / "broken.jpg").symlink_to("nowhere.jpg")
    assert listed(root).query("class_name == 'rose'")["path"].str.contains("linked|broken").sum() == 2


def test_files_that_are_passed_over_are_counted_by_suffix(folder):
    root = folder({"aster": 3, "rose": 3})
    for name in ("a.heic", "b.HEIC", "notes.txt", ".DS_Store", "README"):
        (root / "aster" / name).touch()
    assert datasets.passed_over("folder", root) == {".heic": 2, ".txt": 1, "hidden": 1, "no suffix": 1}
    assert datasets.passed_over("csv", root / "labels.csv") == {}
