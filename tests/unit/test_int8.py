"""The 8-bit file is static and per channel; what its accuracy needs is tried in order, recorded, and never hidden."""

import dataclasses
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from florilegium import int8_remedies
from florilegium.int8_graph import OPERATORS, blocks, corrected_biases, ends, layers, prepared, quantized
from florilegium.int8_ranges import METHODS, channel_means, ranges
from florilegium.int8_remedies import Candidate, Remedies, divergence, search
from florilegium.onnx_sessions import cpu_session, multiplies_bytes


@pytest.fixture(scope="module")
def ready(small_onnx):
    return prepared(small_onnx[1])


@pytest.fixture(scope="module")
def widest(ready, views):
    return ranges(ready, views, "smallest and largest value")


def answers(model, views):
    return cpu_session(model, 1).run(None, {"images": views})[0]


def constants(model):
    return {tensor.name: tensor for tensor in model.graph.initializer}


def weights_of(model):
    """(values, scales) of every layer's 8-bit weights."""
    tensors, found = constants(model), {}
    makers = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and node.input[1] in makers:
            found[node.name] = [tensors[name] for name in makers[node.input[1]].input[:2]]
    return found


def test_preparing_changes_no_answer_and_names_the_mean_pooling(ready, small_onnx, views):
    assert "GlobalAveragePool" in {node.op_type for node in ready.graph.node}
    assert "ReduceMean" not in {node.op_type for node in ready.graph.node}
    assert np.allclose(answers(ready, views), answers(small_onnx[1], views), atol=1e-4)


def test_the_8_bit_file_is_static_and_per_channel(ready, widest, views):
    model = quantized(ready, widest)
    kinds = {node.op_type for node in model.graph.node}
    assert not {kind for kind in kinds if "Dynamic" in kind or kind.endswith("Integer")}, "scaled at run time"
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    found = weights_of(model)
    assert len(found) == sum(node.op_type in ("Conv", "Gemm") for node in ready.graph.node), "every layer"
    for values, scales in found.values():
        assert values.data_type == TensorProto.INT8
        assert list(scales.dims) == [values.dims[0]], "a scale for each output channel"
    zeros = {node.input[2] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert {constants(model)[name].data_type for name in zeros} == {TensorProto.UINT8}, "unsigned activations"
    assert divergence(answers(ready, views), answers(model, views)) < 0.05


def test_layers_that_are_kept_stay_fp32_with_their_own_biases(ready, widest, views):
    first, last = ends(ready)[0], ends(ready)[-1]
    made = quantized(ready, widest)
    biases = corrected_biases(ready, made, channel_means(ready, views))
    model = quantized(ready, widest, kept=(first, last), biases=biases)
    assert {first, last} & set(weights_of(model)) == set()
    node = next(node for node in model.graph.node if node.name == first)
    before = constants(ready)[next(n for n in ready.graph.node if n.name == first).input[2]]
    assert np.array_equal(numpy_helper.to_array(constants(model)[node.input[2]]), numpy_helper.to_array(before))


def test_bias_correction_takes_away_what_rounded_weights_shift_the_logits_by_on_average(ready, views):
    """With weights rounded brutally, to see it: the same biases in fp32 bring the mean of every logit back."""
    from florilegium.int8_graph import _mean_shift

    coarse = onnx.ModelProto()
    coarse.CopyFrom(ready)
    means, shifts = channel_means(ready, views), {}
    tensors = constants(coarse)
    last = [node for node in coarse.graph.node if node.op_type == "Gemm"][-1]
    weight = numpy_helper.to_array(tensors[last.input[1]])
    step = np.abs(weight).max() / 3
    rounded = (np.round(weight / step) * step).astype(np.float32)
    tensors[last.input[1]].CopyFrom(numpy_helper.from_array(rounded, last.input[1]))
    shifts = (answers(coarse, views) - answers(ready, views)).mean(axis=0)
    assert np.abs(shifts).max() > 1e-3
    assert np.allclose(_mean_shift(last, rounded - weight, means[last.input[0]]), shifts, atol=1e-4)


def test_mean_shifts_of_grouped_convolutions_are_those_of_their_own_channels():
    from florilegium.int8_graph import _mean_shift

    node = onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"], group=2)
    error, mean = np.random.default_rng(0).normal(size=(6, 2, 3, 3)), np.array([1.0, 2.0, 3.0, 4.0])
    expected = [error[o].sum(axis=(1, 2)) @ (mean[:2] if o < 3 else mean[2:]) for o in range(6)]
    assert np.allclose(_mean_shift(node, error, mean), expected)


@pytest.mark.parametrize("method", METHODS)
def test_every_way_to_calibrate_gives_ranges_within_the_values_seen(ready, widest, views, method):
    found = ranges(ready, views[:8], method)
    assert {name for name, _ in found.items()} == {name for name, _ in widest.items()}
    for name, data in found.items():
        low, high = (float(np.ravel(value)[0]) for value in data.range_value)
        lowest, highest = (float(np.ravel(value)[0]) for value in widest[name].range_value)
        reach = max(abs(lowest), abs(highest))  # entropy's ranges are symmetric
        assert -1.01 * reach <= low <= high <= 1.01 * reach, name


def test_ends_and_blocks_are_parts_of_the_road(ready):
    names = [node.name for node in layers(ready)]
    assert {node.op_type for node in layers(ready)} <= {*OPERATORS}
    assert [name for block in blocks(ready, 4) for name in block] == names
    assert len(blocks(ready, 4)) == 4
    weighted = [node.name for node in ready.graph.node if node.op_type in ("Conv", "Gemm")]
    assert ends(ready) == [*weighted[:2], weighted[-1]]


# ---- The search


def candidate(name, divergence=0.0):
    return Candidate(name, divergence=divergence, kept=("conv",) if name == "c" else ())


def gate(top1, limit):
    """A gate that knows each candidate's top-1 by its model, here a name."""

    def judge(model):
        value = top1[model]
        return {"top1": value, "top1_agreement": value, "reason": "" if value >= limit else f"only {value}"}

    return judge


def candidates(names):
    return (dataclasses.replace(candidate(name), model=name) for name in names)


def test_remedies_are_tried_in_order_until_one_passes_and_each_is_recorded():
    top1, asked = {"a": 0.7, "b": 0.8, "c": 0.9, "d": 1.0}, []
    watched = (asked.append(each.name) or each for each in candidates("abcd"))
    best, found, tried = search(watched, gate(top1, 0.9))
    assert asked == ["a", "b", "c"], "what comes after the one that passes is never made"
    assert best.name == "c" and found == {"top1": 0.9, "top1_agreement": 0.9, "reason": ""}
    assert [(row["remedy"], row["top1"], row["layers_in_fp32"]) for row in tried] == [
        ("a", 0.7, []),
        ("b", 0.8, []),
        ("c", 0.9, ["conv"]),
    ]


def test_when_none_passes_the_best_is_kept_with_its_reason():
    best, found, tried = search(candidates("abcd"), gate({"a": 0.7, "b": 0.85, "c": 0.8, "d": 0.6}, 0.9))
    assert (best.name, found["reason"]) == ("b", "only 0.85")
    assert len(tried) == 4


def test_the_documented_remedies_come_in_their_order(small_onnx, views, monkeypatch):
    monkeypatch.setattr(int8_remedies, "BLOCKS", 4)
    found = list(Remedies(small_onnx[1], views))
    names = [each.name.split(", ") for each in found]
    assert names[:4] == [
        ["plain"],
        ["bias correction"],
        ["bias correction", "percentile calibration"],
        ["bias correction", "entropy calibration"],
    ]
    assert names[4][-1] == "first and last layers in fp32"
    free = min(found[:4], key=lambda each: each.divergence)
    assert ", ".join(names[4][:-1]) == free.name, "on top of what was best on training images"
    sensitive = [name[-1] for name in names[5:]]
    assert sensitive == [f"the {n} most sensitive of 4 blocks in fp32" for n in (1, 1, 2)]
    assert [len(each.kept) for each in found[:4]] == [0] * 4
    assert len(found[4].kept) == 3 < len(found[5].kept) < len(found[7].kept)
    assert all(np.isfinite(each.divergence) for each in found)
    kept = Counter(node.op_type for node in found[7].model.graph.node)
    assert kept["Conv"] == sum(node.op_type == "Conv" for node in small_onnx[1].graph.node)


def test_divergence_is_nothing_for_the_same_answers_and_grows_with_the_difference():
    logits = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    assert divergence(logits, logits) == pytest.approx(0, abs=1e-9)
    assert 0 < divergence(logits, logits + [[0.1, 0, 0, 0]]) < divergence(logits, logits + [[1, 0, 0, 0]])


def test_weights_get_7_bits_only_where_8_would_overflow(monkeypatch, tmp_path):
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr("florilegium.onnx_sessions.Path", lambda _: info)
    for flags, expected in (("fma avx2", False), ("avx2 avx_vnni", True), ("avx512_vnni", True)):
        info.write_text(f"flags\t\t: {flags}\n")
        assert multiplies_bytes() is expected
    info.write_text("Features\t: fp asimd asimddp\n")
    assert multiplies_bytes(), "ARM"
