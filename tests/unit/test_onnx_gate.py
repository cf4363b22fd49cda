"""A file that does not say what torch says is found out; one that does, passes, whatever the batch size."""

import copy

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from florilegium.devices import DeviceImages
from florilegium.onnx_gate import BATCHES, Gate, batch_difference, compared, logits_of, session_answer, verdict
from florilegium.onnx_sessions import cpu_session
from florilegium.onnx_variants import with_preprocessing
from florilegium.pixels import Pixels
from florilegium.service_gate import Answers, compared_with_service

CPU = torch.device("cpu")
FOUND = {"images": 1000, "top1": 0.9, "top1_torch": 0.9, "top1_agreement": 1.0, "max_abs_diff": 0.0}
FOUND |= {"batch_difference": 0.0}


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("fp32", {}, ""),
        ("fp32", {"top1_agreement": 0.999, "max_abs_diff": 1e-3}, ""),
        ("fp32", {"top1_agreement": 0.998}, "agree on 99.80 % of the 1000 validation images, expected at least 99.9 %"),
        ("fp32", {"max_abs_diff": 0.002}, "a probability differs from torch's by 0.002, expected at most 0.001"),
        ("fp32", {"batch_difference": 0.002}, "depend on the batch size"),
        ("fp16", {"top1_agreement": 0.995, "max_abs_diff": 0.2}, ""),
        ("fp16", {"top1_agreement": 0.994}, "expected at least 99.5 %"),
        ("int8", {"top1": 0.89, "top1_agreement": 0.9, "max_abs_diff": 0.9}, ""),
        ("int8", {"top1": 0.95}, ""),
        ("int8", {"top1": 0.889}, "loses 1.1 points of top-1 on 1000 validation images, 1.0 are allowed"),
        ("int8", {"batch_difference": 0.05}, "depend on the batch size: a probability differs by 0.05"),
    ],
)
def test_each_format_has_its_gate_and_a_reason_in_words(name, changes, words):
    said = verdict(name, FOUND | changes, max_loss=0.01)
    assert (words in said) if words else said == ""


def test_accuracies_agreement_and_the_largest_difference_of_a_probability():
    reference = np.log(np.array([[0.7, 0.3], [0.4, 0.6], [0.9, 0.1], [0.2, 0.8]]))
    logits = np.log(np.array([[0.6, 0.4], [0.55, 0.45], [0.9, 0.1], [0.2, 0.8]])) + 5
    found = compared(reference, logits, np.array([0, 1, 0, 0]))
    assert found == pytest.approx(
        {"images": 4, "top1": 0.5, "top1_torch": 0.75, "top1_agreement": 0.75, "max_abs_diff": 0.15}
    )


def test_batches_of_1_7_and_64_are_compared():
    sizes = []

    def honest(views):
        sizes.append(len(views))
        return views.reshape(len(views), -1)[:, :4]

    views = np.random.default_rng(0).normal(size=(64, 3, 4, 4))
    assert BATCHES == (1, 7, 64)
    assert batch_difference(honest, views) == 0
    assert sizes == [1] * 64 + [7] * 9 + [1] + [64]
    assert batch_difference(lambda batch: honest(batch) + [[len(batch), 0, 0, 0]], views) > 0.1


@pytest.fixture
def split(mats):
    return DeviceImages(Pixels(mats[0], np.arange(32)), CPU), mats[1]


def test_the_exported_network_passes_and_a_damaged_one_is_refused(small_onnx, split):
    network, model = small_onnx
    images, labels = split
    with torch.inference_mode():
        reference = logits_of(lambda views: network(torch.from_numpy(views)).numpy(), images, 32)
    gate = Gate(reference, images, labels, 32, threads=1)
    found = gate("fp32", model)
    assert found["recommended"] and found["reason"] == "" and found["max_abs_diff"] < 1e-5
    assert found["images"] == 32 and found["batch_difference"] < 1e-5
    damaged = copy.deepcopy(model)
    head = next(tensor for tensor in damaged.graph.initializer if list(tensor.dims) == [5, 16])
    head.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(head), head.name))
    refused = gate("fp32", damaged)
    assert not refused["recommended"] and "expected at least 99.9 %" in refused["reason"]


@pytest.fixture
def both(small_onnx, split):
    """A function that compares model.onnx with the file that takes photographs, on pixels and some photographs."""
    plain = session_answer(cpu_session(small_onnx[1], 1))
    answers = Answers(plain, logits_of(plain, split[0], 32), 0.7)

    def compare(paths, temperature=0.7, mode="squash"):
        session = cpu_session(with_preprocessing(small_onnx[1], 32, mode, temperature), 1)
        return compared_with_service(answers, session, split[0], [str(path) for path in paths], 32, mode)

    return compare


@pytest.mark.parametrize("mode", ["squash", "center", "imagenet"])
def test_both_variants_agree_on_pixels_and_original_photographs_and_a_wrong_one_is_refused(
    both, photograph, tmp_path, mode
):
    sizes = [(33, 50), (90, 64), (20, 31), (32, 32)]
    paths = [photograph(tmp_path / f"{n}.png", n, size) for n, size in enumerate(sizes)]
    found = both([*paths, tmp_path / "gone.png"], mode=mode)
    assert (found["images"], found["photographs"], found["reason"]) == (32, 4, ""), "what is gone is not counted"
    assert found["top1_agreement"] == found["photographs_top1_agreement"] == 1
    assert max(found["max_abs_diff"], found["photographs_max_abs_diff"]) < 0.01
    wrong = both(paths, temperature=7.0, mode=mode)["reason"]
    assert "a probability differs by" in wrong and "more than rounding explains" in wrong


def test_without_photographs_the_pixels_decide(both):
    found = both([])
    assert (found["photographs"], found["photographs_max_abs_diff"], found["reason"]) == (0, None, "")


def test_a_photograph_is_turned_upright_before_either_variant_sees_it(both, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[:20] = 250
    Image.fromarray(colours).save(tmp_path / "turned.jpg", exif=exif)
    found = both([tmp_path / "turned.jpg"])
    assert found["photographs"] == 1 and found["photographs_max_abs_diff"] < 0.01
