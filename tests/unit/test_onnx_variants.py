"""The file that takes photographs prepares them as Pillow does; half precision is half a file with the same answers."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from florilegium.augment import MEAN, STD
from florilegium.calibration import probabilities
from florilegium.onnx_files import as_service, describe, description_of, save, temperature
from florilegium.onnx_sessions import cpu_session
from florilegium.onnx_variants import tidied, to_fp16, with_fp16_weights, with_preprocessing

CROP = 24


def passing_views_on():
    """A model whose logits are the view itself, value by value."""
    shape = numpy_helper.from_array(np.array([-1, 3 * CROP * CROP]), "shape")
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["images", "shape"], ["logits"])],
        "views",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, CROP, CROP])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3 * CROP * CROP])],
        [shape],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def picture(width, height, number=0):
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def documented_view(array, mode):
    (height, width), image = array.shape[:2], Image.fromarray(array)
    side = min(width, height) * (7 / 8 if mode == "imagenet" else 1)
    left, top = (width - side) / 2, (height - side) / 2
    box = None if mode == "squash" else (left, top, left + side, top + side)
    image = image.resize((CROP, CROP), Image.Resampling.BILINEAR, box=box)
    return ((np.asarray(image) / 255 - MEAN) / STD).transpose(2, 0, 1)


@pytest.mark.parametrize(
    "size", [(24, 24), (48, 48), (97, 61), (640, 480), (25, 23), (13, 9), (9, 200), (1, 1)], ids=lambda size: f"{size}"
)
@pytest.mark.parametrize("mode", ["squash", "center", "imagenet"])
def test_pictures_of_any_size_become_the_view_that_pillow_makes(size, mode):
    session = cpu_session(with_preprocessing(passing_views_on(), CROP, mode, 1.0), threads=1)
    given = picture(*size)
    (found,) = session.run(None, {"pictures": given[None]})
    # Logarithms of a softmax are its logits but for one number.
    values = np.log(found[0].astype(np.float64))
    expected = documented_view(given, mode).ravel()
    difference = np.abs((values - values.mean()) - (expected - expected.mean()))
    one_level = 1 / 255 / min(STD)
    assert difference.max() < 1.2 * one_level, "Pillow and onnxruntime round to grey levels, at most one apart"
    # 24 pixels made of 9 lie just between two levels time and again; there the order of rows and columns decides.
    assert difference.mean() < 0.3 * one_level, "and seldom: where the exact value lies between two"


@pytest.mark.parametrize("temperature", [1.0, 0.4, 3.0])
def test_probabilities_have_the_temperature_applied_and_a_batch_is_its_pictures(small_onnx, temperature):
    network, model = small_onnx
    session = cpu_session(with_preprocessing(model, 32, "squash", temperature), threads=1)
    pictures = np.stack([picture(50, 41, number) for number in range(3)])
    (found,) = session.run(["probabilities"], {"pictures": pictures})
    views = [np.asarray(Image.fromarray(p).resize((32, 32), Image.Resampling.BILINEAR)) for p in pictures]
    views = ((np.stack(views) / 255 - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32)
    with torch.inference_mode():
        expected = probabilities(network(torch.from_numpy(views)).numpy(), temperature)
    assert np.abs(found - expected).max() < 0.01
    assert found.sum(axis=1) == pytest.approx(1)
    alone = np.concatenate([session.run(None, {"pictures": each[None]})[0] for each in pictures])
    assert np.abs(found - alone).max() < 1e-6


@pytest.mark.parametrize("make", [to_fp16, with_fp16_weights])
def test_half_precision_takes_and_gives_float32_holds_16_bit_weights_and_says_nearly_the_same(small_onnx, views, make):
    model, half = small_onnx[1], make(small_onnx[1])
    kinds = [value.type.tensor_type.elem_type for value in (*half.graph.input, *half.graph.output)]
    assert kinds == [TensorProto.FLOAT, TensorProto.FLOAT]
    large = [tensor for tensor in half.graph.initializer if np.prod(tensor.dims) > 64]
    assert {tensor.data_type for tensor in large} == {TensorProto.FLOAT16}
    expected, found = (cpu_session(each, 1).run(None, {"images": views})[0] for each in (model, half))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.01 * np.abs(expected).max()
    assert model.SerializeToString() == small_onnx[1].SerializeToString(), "the fp32 model is left as it was"


def test_a_file_is_one_file_sorted_and_says_what_it_is(small_onnx, tmp_path):
    save(tmp_path / "half.onnx", to_fp16(small_onnx[1]), {"class_names": '["a", "é"]'}, "fp16", "blurred")
    assert [path.name for path in tmp_path.iterdir()] == ["half.onnx"], "no weights in a side file"
    onnx.checker.check_model(str(tmp_path / "half.onnx"), full_check=False)
    said = cpu_session(tmp_path / "half.onnx", 1).get_modelmeta().custom_metadata_map
    assert json.loads(said["class_names"]) == ["a", "é"]
    assert [json.loads(said[key]) for key in ("format", "recommended", "reason")] == ["fp16", False, "blurred"]
    assert description_of(onnx.load(tmp_path / "half.onnx")) == {"class_names": '["a", "é"]'}


ABOUT = dict.fromkeys(("recipe", "architecture", "seed", "weights", "pretrained", "val_top1", "seconds")) | {
    "settings": {"crop": 200, "test_crop": 224, "resize_mode": "squash"},
    "class_names": ["rose"],
    "provenance": {},
}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"calibration": {"temperature": 1.7}, "sure": {"threshold": 0.8}}, (1.7, 0.8)),
        ({"calibration": {"temperature": 1.0}, "sure": {"threshold": None}}, (1.0, None)),
        ({}, (1.0, None)),
    ],
)
def test_the_description_carries_temperature_and_threshold(metrics, expected):
    texts = describe(ABOUT, metrics)
    assert (json.loads(texts["temperature"]), json.loads(texts["sure_threshold"])) == expected
    assert temperature(metrics) == expected[0]
    assert json.loads(texts["preprocessing"])["mean"] == list(MEAN)
    service = json.loads(as_service(texts)["preprocessing"])
    assert service["size"] == 224 and "inside the file" in service["input"]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("squash", "RGB, squashed to 224 x 224"),
        ("center", "RGB, the middle square at 224 x 224"),
        ("imagenet", "RGB, the middle square of 7/8 of the shorter side at 224 x 224"),
    ],
)
def test_the_description_says_how_a_photograph_becomes_a_square(mode, words):
    about = ABOUT | {"settings": {"crop": 200, "test_crop": 224, "resize_mode": mode}}
    preprocessing = json.loads(describe(about, {})["preprocessing"])
    assert preprocessing["resize_mode"] == mode and preprocessing["input"].startswith(words)


def test_tidying_drops_the_exporters_paths_and_changes_no_answer(small_onnx, views):
    noted = onnx.ModelProto()
    noted.CopyFrom(small_onnx[1])
    for node in noted.graph.node:
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="/home/someone/network.py")
    noted.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "unused"))
    clean = tidied(noted)
    assert b"/home/someone" not in clean.SerializeToString()
    assert "unused" not in {tensor.name for tensor in clean.graph.initializer}
    before, after = (cpu_session(each, 1).run(None, {"images": views})[0] for each in (noted, clean))
    assert np.array_equal(before, after)
