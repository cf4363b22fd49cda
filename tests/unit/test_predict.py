"""predict.py names photographs with nothing but an ONNX file, onnxruntime, numpy and Pillow."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import predict
from florilegium import images

COLOURS = {"rouge": (230, 20, 20), "vert, clair": (20, 230, 20), "blau": (20, 20, 230)}
PREPROCESSING = {"input": "RGB", "size": 16, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def write_model(path, kind="fp32", **said):
    """A network that names the strongest colour: a run's file of one of its forms, with the metadata `said`."""
    half = TensorProto.FLOAT16 if kind == "fp16" else TensorProto.FLOAT
    size = 16
    if kind == "service":
        entry = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", "height", "width", 3])
        nodes = [
            helper.make_node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats", "places"], ["means"], keepdims=0),
            helper.make_node("Mul", ["means", "scale"], ["scaled"]),
            helper.make_node("Softmax", ["scaled"], ["probabilities"]),
        ]
        weights = [numpy_helper.from_array(np.array([1, 2]), "places")]
        weights.append(numpy_helper.from_array(np.array(0.02, np.float32), "scale"))
        leave = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])
    else:
        entry = helper.make_tensor_value_info("images", half, ["n", 3, size, size])
        nodes = [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["logits"]),
        ]
        leave, weights = helper.make_tensor_value_info("logits", half, ["n", 3]), []
    graph = helper.make_graph(nodes, "colours", [entry], [leave], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    said = {"class_names": list(COLOURS), "preprocessing": PREPROCESSING, "run": {}} | said
    helper.set_model_props(model, {key: json.dumps(value) for key, value in said.items()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model.onnx")


@pytest.fixture
def photographs(tmp_path):
    """A folder: two levels, three colours, a hidden file, a file that is no picture by its name."""
    folder = tmp_path / "photographs"
    (folder / "b" / "c").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    places = {
        "a.png": "rouge",
        "b/1.PNG": "blau",
        "b/c/2.webp": "vert, clair",
        ".x.png": "blau",
        ".hidden/y.png": "blau",
    }
    for place, colour in places.items():
        Image.new("RGB", (30, 20), COLOURS[colour]).save(folder / place)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def call(model, capsys):
    """Call predict.py in this process: exit status, what it printed, what it complained of."""

    def run(*arguments, model=model):
        status = predict.main(["--model", str(model), *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


# ---- Alone


ALONE = """
import importlib.abc, runpy, sys
NEEDED = {"onnxruntime", "numpy", "PIL"} | {"flatbuffers", "packaging", "google"}  # the latter by onnxruntime
class OnlyNeeded(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in NEEDED | sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)
sys.meta_path.insert(0, OnlyNeeded())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def alone(folder, *arguments, **options):
    """Run a copy of predict.py in an interpreter that has three packages."""
    shutil.copy(predict.__file__, folder / "predict.py")
    command = [sys.executable, "-I", "-c", ALONE, str(folder / "predict.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60, **options)


def test_a_copy_of_the_one_file_works_where_only_three_packages_are_installed(model, photographs):
    done = alone(model.parent, "--json", photographs)  # model.onnx lies beside the copy
    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(line)["predictions"][0]["class_name"] for line in done.stdout.splitlines()] == [
        "rouge",
        "blau",
        "vert, clair",
    ]


def test_a_picture_comes_from_standard_input_and_a_closed_pipe_is_no_error(model, photographs):
    done = alone(model.parent, "--json", "-", input=(photographs / "a.png").read_bytes())
    assert json.loads(done.stdout)["path"] == "-"
    assert json.loads(done.stdout)["predictions"][0]["class_name"] == "rouge"
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, predict.__file__, "--model", str(model), str(photographs)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


# ---- What it prints


def test_the_table_is_aligned_and_in_the_order_of_the_names(call, photographs):
    status, table, complaints = call(photographs)
    assert (status, complaints) == (0, "")
    lines = table.splitlines()
    assert lines[::4] == [str(photographs / name) for name in ("a.png", "b/1.PNG", "b/c/2.webp")]
    assert lines[1].split() == ["1", "rouge", *lines[1].split()[2:]] and lines[1].endswith(" %")
    assert {len(line) for line in lines if line.startswith(" ")} == {len(lines[1])}


def test_json_is_one_object_a_line(call, photographs):
    lines = call("--json", "--top", "2", photographs / "b")[1].splitlines()
    first = json.loads(lines[0])
    assert first.keys() == {"path", "sure", "predictions"} and first["sure"] is None
    assert len(lines) == len(first["predictions"]) == 2
    assert first["predictions"][0]["probability"] > first["predictions"][1]["probability"]


def test_csv_is_one_row_for_each_picture_and_rank(call, photographs):
    rows = list(csv.DictReader(io.StringIO(call("--csv", "--threshold", "0", photographs)[1])))
    assert [row["class_name"] for row in rows if row["rank"] == "1"] == ["rouge", "blau", "vert, clair"]
    assert len(rows) == 3 * 3
    assert {row["sure"] for row in rows} == {"true"}
    assert sum(float(row["probability"]) for row in rows[:3]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("form", ["--json", "--csv", "--top=5"])
def test_the_batch_changes_no_answer(call, photographs, form):
    assert len({call(form, "--batch", size, "--threads", 1, photographs)[1] for size in (1, 2, 16)}) == 1


def test_under_the_files_own_threshold_it_is_not_sure(tmp_path, photographs, call):
    careful = write_model(tmp_path / "careful.onnx", sure_threshold=0.999, temperature=20.0)
    picture = photographs / "a.png"
    assert f"{picture}: not sure\n" in call(picture, model=careful)[1]
    assert json.loads(call("--json", picture, model=careful)[1])["sure"] is False
    assert json.loads(call("--json", "--threshold", "0.3", picture, model=careful)[1])["sure"] is True
    assert json.loads(call("--json", picture, model=write_model(careful, sure_threshold=None))[1])["sure"] is None


# ---- What it computes


def test_the_picture_is_prepared_as_the_metadata_says_and_the_temperature_applied(tmp_path, call, photograph):
    picture = photograph(tmp_path / "random.png", size=(50, 33))
    small = Image.open(picture).resize((16, 16), Image.Resampling.BILINEAR)
    logits = ((np.asarray(small) / 255 - PREPROCESSING["mean"]) / PREPROCESSING["std"]).mean(axis=(0, 1))
    for temperature in (None, 2.5):
        path = write_model(tmp_path / "model.onnx", temperature=temperature)
        found = json.loads(call("--json", picture, model=path)[1])["predictions"]
        expected = np.exp(logits / (temperature or 1)) / np.exp(logits / (temperature or 1)).sum()
        shares = {entry["class_name"]: entry["probability"] for entry in found}
        assert [shares[name] for name in COLOURS] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(("mode", "box"), [("center", (9.5, 0, 41.5, 32)), ("imagenet", (11.5, 2, 39.5, 30))])
def test_the_middle_square_is_taken_where_the_metadata_says_so(tmp_path, call, photograph, mode, box):
    picture = photograph(tmp_path / "random.png", size=(51, 32))
    middle = Image.open(picture).resize((16, 16), Image.Resampling.BILINEAR, box=box)
    logits = ((np.asarray(middle) / 255 - PREPROCESSING["mean"]) / PREPROCESSING["std"]).mean(axis=(0, 1))
    path = write_model(tmp_path / "model.onnx", preprocessing=PREPROCESSING | {"resize_mode": mode})
    found = json.loads(call("--json", picture, model=path)[1])["predictions"]
    shares = {entry["class_name"]: entry["probability"] for entry in found}
    assert [shares[name] for name in COLOURS] == pytest.approx(np.exp(logits) / np.exp(logits).sum(), abs=2e-6)


def test_a_way_to_a_square_that_is_not_known_here_is_refused(tmp_path, call, photographs):
    path = write_model(tmp_path / "model.onnx", preprocessing=PREPROCESSING | {"resize_mode": "letterbox"})
    status, _, complaints = call(photographs, model=path)
    assert status == 2
    known = "squash, center, imagenet"
    assert complaints == f"error: {path} asks for resize_mode 'letterbox'; this predict.py knows {known}\n"


@pytest.mark.parametrize("kind", ["fp32", "fp16", "service"])
def test_every_form_of_the_file_is_taken(tmp_path, call, photographs, kind):
    path = write_model(tmp_path / f"model.{kind}.onnx", kind)
    found = [json.loads(line) for line in call("--json", photographs, model=path)[1].splitlines()]
    assert [entry["predictions"][0]["class_name"] for entry in found] == ["rouge", "blau", "vert, clair"]
    assert all(sum(p["probability"] for p in entry["predictions"]) == pytest.approx(1, abs=2e-3) for entry in found)


def test_a_huge_picture_reaches_a_service_network_reduced(tmp_path):
    network = predict.Network(write_model(tmp_path / "service.onnx", "service"))
    assert network.view(Image.new("RGB", (3000, 1000))).shape == (67, 200, 3)
    assert network.view(Image.new("RGB", (100, 90))).shape == (90, 100, 3)


def test_pictures_are_read_as_the_workflow_reads_them(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture, written = Image.fromarray(colours), []
    for mode, name in (("RGB", "a.jpg"), ("L", "b.jpg"), ("CMYK", "c.jpg"), ("RGBA", "d.png"), ("LA", "e.png")):
        picture.convert(mode).save(tmp_path / name)
        written.append(tmp_path / name)
    transparent = picture.convert("RGBA")
    transparent.putalpha(100)
    transparent.save(tmp_path / "half.webp")
    palette = picture.quantize(8)
    palette.save(tmp_path / "palette.gif", transparency=3)
    Image.fromarray(colours[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(colours[..., 0].astype(np.float32)).save(tmp_path / "float.tif")
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        picture.save(tmp_path / f"turned{turn}.jpg", exif=exif)
    written += sorted(tmp_path.glob("*.*"))
    for path in written:
        expected = np.asarray(images.open_rgb(path, at_least=16))
        assert np.array_equal(np.asarray(predict.read(str(path), 16)), expected), path.name
    assert np.asarray(predict.read(str(tmp_path / "turned6.jpg"), 16)).shape == (60, 40, 3), "a person sees it upright"
    assert predict.SUFFIXES == images.SUFFIXES


# ---- What can go wrong


def test_a_broken_picture_among_many_is_named_and_the_others_are_predicted(call, photographs):
    (photographs / "b" / "0 broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    Image.new("RGB", (30, 4)).save(photographs / "b" / "tiny.png")
    (photographs / "gone.jpg").symlink_to(photographs / "nowhere.jpg")
    status, table, complaints = call("--csv", "--top", 1, photographs)
    assert status == 1
    assert len(table.splitlines()) == 1 + 3
    assert [line.split(": ")[:2] for line in complaints.splitlines()] == [
        ["left out", str(photographs / name)] for name in ("gone.jpg", "b/0 broken.jpg", "b/tiny.png")
    ]
    assert "30 x 4 pixels, smaller than 8" in complaints


def test_a_picture_of_too_many_pixels_is_refused_politely(call, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (50, 50)).save(tmp_path / "bomb.png")
    status, _, complaints = call(tmp_path / "bomb.png")
    assert status == 1
    assert complaints.startswith(f"left out: {tmp_path / 'bomb.png'}: too large, more than")
    assert len(complaints.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jpg"], "error: nowhere.jpg does not exist; expected a picture, a folder of pictures, or -"),
        (["--model", "nowhere.onnx", "{a}"], "error: nowhere.onnx is not a file; name the network with --model"),
        (["--model", "{a}", "{a}"], "is no ONNX file that runs here: "),
        (["--model", "{plain}", "{a}"], "does not say its class_names; expected an ONNX file of a run"),
        (["{empty}"], "no pictures in"),
    ],
)
def test_a_call_that_cannot_work_ends_with_one_line_and_status_2(call, photographs, tmp_path, arguments, said):
    plain = onnx.load(write_model(tmp_path / "plain.onnx"))
    del plain.metadata_props[:]
    onnx.save(plain, tmp_path / "plain.onnx")
    (tmp_path / "empty").mkdir()
    places = {"a": photographs / "a.png", "plain": tmp_path / "plain.onnx", "empty": tmp_path / "empty"}
    status, printed, complaints = call(*(text.format(**places) for text in arguments))
    assert (status, printed) == (2, "")
    assert said in complaints and len(complaints.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["--top", "0"], ["--threshold", "1.5"], ["--batch", "x"], ["--json", "--csv"], []]
)
def test_an_impossible_option_is_refused(call, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        call(*arguments, *(["photo.jpg"] if arguments else []))
    assert ended.value.code == 2
    assert ": error: " in capsys.readouterr().err.splitlines()[-1]


def test_a_name_that_is_not_utf_8_is_printed_all_the_same(call, photographs):
    name = os.fsencode(photographs) + b"/b/0\xff.png"
    shutil.copy(photographs / "a.png", name)
    status, printed, _ = call("--json", photographs / "b")
    assert status == 0
    assert json.loads(printed.splitlines()[0])["path"].encode("utf-8", "surrogateescape") == name


def test_progress_is_shown_only_where_a_terminal_takes_it(model, photographs):
    """Standard error is a terminal and the answers go elsewhere."""
    pty = pytest.importorskip("pty")
    reader, terminal = pty.openpty()
    command = [sys.executable, predict.__file__, "--model", str(model), "--batch", "1", str(photographs)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=terminal, check=False, timeout=60)
    os.close(terminal)
    assert done.returncode == 0
    assert b"3 pictures" in os.read(reader, 10_000)
    os.close(reader)


def test_memory_does_not_grow_with_the_pictures(model, photographs):
    """Pictures are named one batch after the other: none is held, nor is an answer."""
    network, held = predict.Network(model, threads=1), []

    class Given:
        pictures, batch, top, threshold = ["x"] * 1000, 16, 1, None

    def counted(paths, *_):
        for path in paths:
            held.append(path)
            yield path, network.view(Image.new("RGB", (20, 20)))

    original, predict.readable = predict.readable, counted
    try:
        for number, _ in enumerate(predict.answers(network, Given, print)):
            assert len(held) <= number + Given.batch, "no picture is opened before its batch"
    finally:
        predict.readable = original
    assert number == 999
