"""From photographs to the network's input as nodes of an ONNX graph, equal to `images.to_square` with Pillow."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, parser

from florilegium.augment import MEAN, STD
from florilegium.images import MIDDLE_SHARES

PICTURES = "pictures"

# `center` and `imagenet`: a middle square at crop x crop pixels. ONNX's Resize cannot begin within a pixel, nor look
# beyond a box as Pillow's does, so that slices and a Resize would be up to half a pixel off. This is the resampling
# that Pillow does (a triangle as wide as two of the pixels made, or two of those given, if these are larger), as a
# matrix for each axis. It takes longer than a Resize: on one thread 0.15 s instead of 0.04 s for a picture of three
# million pixels.
STEPS = """
steps (uint8[n, h, w, 3] pictures) => (float step) {
    sizes = Shape<start=1, end=3>(pictures)
    lengths = Cast<to=1>(sizes)
    shorter = ReduceMin<keepdims=0>(lengths)
    side = Mul(shorter, share)
    step = Div(side, made)
    reach = Max(step, one)
    steps = Mul(made_centres, step)
    margins = Sub(lengths, side)
    starts = Mul(margins, half)
}"""
MATRIX = """
matrix (float[2] lengths, float[2] starts) => (float[made, length] {axis}_weights) {{
    {axis}_at = Constant<value = int64 {{{place}}}>()
    {axis}_length = Gather(lengths, {axis}_at)
    {axis}_start = Gather(starts, {axis}_at)
    {axis}_wanted = Add(steps, {axis}_start)
    {axis}_corners = Range(zero, {axis}_length, one)
    {axis}_centres = Add({axis}_corners, half)
    {axis}_distances = Sub({axis}_wanted, {axis}_centres)
    {axis}_ways = Abs({axis}_distances)
    {axis}_shares = Div({axis}_ways, reach)
    {axis}_heights = Sub(one, {axis}_shares)
    {axis}_triangles = Relu({axis}_heights)
    {axis}_sums = ReduceSum({axis}_triangles, last_axis)
    {axis}_weights = Div({axis}_triangles, {axis}_sums)
}}"""
# Grey levels between the passes, and rows first, as Pillow does with landscapes; of a portrait it resamples the columns
# first, so that a few grey levels are rounded to the next one here.
ROUNDING = 0.501  # added before Floor: Pillow rounds halves up, and float32 may be a little below a half
MIDDLE = """
middle (uint8[n, h, w, 3] pictures) => (float[n, 3, made, made] square) {
    planes = Transpose<perm=[0, 3, 1, 2]>(pictures)
    values = Cast<to=1>(planes)
    columns = Transpose<perm=[1, 0]>(width_weights)
    narrowed_values = MatMul(values, columns)
    narrowed_raised = Add(narrowed_values, rounding)
    narrowed = Floor(narrowed_raised)
    square_values = MatMul(height_weights, narrowed)
    square_raised = Add(square_values, rounding)
    square = Floor(square_raised)
}"""


def preprocessing(crop: int, mode: str, images: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Nodes from `pictures`, uint8 (n, height, width, 3), to `images`, float32 (n, 3, crop, crop), and their constants.

    Args:
        crop: height and width that the network sees.
        mode: how a photograph becomes a square, `squash`, `center` or `imagenet` (images.to_square).
        images: name of the network's input.
    """
    constants = {
        "mean": np.array(MEAN, np.float32).reshape(1, 3, 1, 1) * 255,
        "std": np.array(STD, np.float32).reshape(1, 3, 1, 1) * 255,
    }
    square, more = _squashed(crop) if mode == "squash" else _middle(crop, MIDDLE_SHARES[mode])
    nodes = [
        *square,
        helper.make_node("Sub", ["square", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], [images]),
    ]
    constants |= more
    return [_named(node, images) for node in nodes], {f"service.{name}": value for name, value in constants.items()}


def _squashed(crop: int) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    # `exclude_outside` drops what lies beyond the border, as Pillow and torch do; the default would repeat the border.
    resize = {"mode": "linear", "antialias": 1, "exclude_outside": 1, "axes": [1, 2]}
    nodes = [
        helper.make_node("Resize", [PICTURES, "", "", "size"], ["squashed"], **resize),
        helper.make_node("Transpose", ["squashed"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["square"], to=TensorProto.FLOAT),
    ]
    return nodes, {"size": np.array([crop, crop], np.int64)}


def _middle(crop: int, share: float) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    texts = (STEPS, MATRIX.format(axis="height", place=0), MATRIX.format(axis="width", place=1), MIDDLE)
    nodes = [node for text in texts for node in parser.parse_graph(text).node]
    numbers = {"zero": 0, "half": 0.5, "rounding": ROUNDING, "one": 1, "made": crop, "share": share}
    constants = {name: np.array(number, np.float32) for name, number in numbers.items()}
    constants["made_centres"] = np.arange(crop, dtype=np.float32).reshape(-1, 1) + np.float32(0.5)
    constants["last_axis"] = np.array([1], np.int64)
    return nodes, constants


def _named(node: onnx.NodeProto, images: str) -> onnx.NodeProto:
    """A node whose names, but for those of the ends, are no names of the network."""
    ends = {"", PICTURES, images}
    for names in (node.input, node.output):
        names[:] = [name if name in ends else f"service.{name}" for name in names]
    node.name = f"service.{node.op_type.lower()}.{node.output[0].removeprefix('service.')}"
    return node
