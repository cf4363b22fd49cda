"""From photographs to the network's input as nodes of an ONNX graph, equal to `images.to_square` with Pillow."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, parser

from florilegium.augment import MEAN, STD

PICTURES = "pictures"

# `center`, first half: the shorter side becomes `size` pixels, the longer one stays as it is; a square has two shorter.
SHORTER = """
shorter (int64[2] size) => (int64[2] fitted_size) {
    sizes = Shape<start=1, end=3>(pictures)
    side = ReduceMin(sizes)
    is_shorter = Equal(sizes, side)
    fitted_size = Where(is_shorter, size, sizes)
}"""
# `center`, second half: the middle square of the fitted picture. ONNX's Resize cannot begin within a pixel, nor look
# beyond a box as Pillow's does, so that slices and a Resize would be up to half a pixel off; this is the resampling as
# Pillow defines it (a triangle as wide as two of the pixels made, or two of those given, if these are larger), a matrix
# for rows and one for columns. Along the shorter side it changes nothing. Pillow resamples the longer side first, which
# would cost a matrix over the whole photograph; with the shorter one first, a few grey levels are rounded to the next.
MATRIX = """
matrix (int64[2] sizes) => (float[size, n] {axis}_weights) {{
    {axis}_at = Constant<value = int64 {{{place}}}>()
    {axis}_given = Gather(fitted_size, {axis}_at)
    {axis}_original = Gather(sizes, {axis}_at)
    {axis}_is_shorter = Equal({axis}_original, side)
    {axis}_box = Where({axis}_is_shorter, {axis}_given, side)
    {axis}_box_length = Cast<to=1>({axis}_box)
    {axis}_length = Cast<to=1>({axis}_given)
    {axis}_margins = Sub({axis}_length, {axis}_box_length)
    {axis}_start = Mul({axis}_margins, half)
    {axis}_step = Div({axis}_box_length, made)
    {axis}_reach = Max({axis}_step, one)
    {axis}_steps = Mul(made_centres, {axis}_step)
    {axis}_wanted = Add({axis}_steps, {axis}_start)
    {axis}_corners = Range(zero, {axis}_length, one)
    {axis}_centres = Add({axis}_corners, half)
    {axis}_distances = Sub({axis}_wanted, {axis}_centres)
    {axis}_ways = Abs({axis}_distances)
    {axis}_shares = Div({axis}_ways, {axis}_reach)
    {axis}_heights = Sub(one, {axis}_shares)
    {axis}_triangles = Relu({axis}_heights)
    {axis}_sums = ReduceSum({axis}_triangles, last_axis)
    {axis}_weights = Div({axis}_triangles, {axis}_sums)
}}"""
MIDDLE = """
middle (float[n, 3, h, w] values) => (float[n, 3, size, size] middle) {
    columns = Transpose<perm=[1, 0]>(width_weights)
    narrowed_values = MatMul(values, columns)
    narrowed = Round(narrowed_values)
    middle_values = MatMul(height_weights, narrowed)
    middle = Round(middle_values)
}"""


def preprocessing(crop: int, mode: str, images: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Nodes from `pictures`, uint8 (n, height, width, 3), to `images`, float32 (n, 3, crop, crop), and their constants.

    Args:
        crop: height and width that the network sees.
        mode: how a photograph becomes a square, `squash` or `center`.
        images: name of the network's input.
    """
    constants = {
        "size": np.array([crop, crop], np.int64),
        "mean": np.array(MEAN, np.float32).reshape(1, 3, 1, 1) * 255,
        "std": np.array(STD, np.float32).reshape(1, 3, 1, 1) * 255,
    }
    # `exclude_outside` drops what lies beyond the border, as Pillow and torch do; the default would repeat the border.
    resize = {"mode": "linear", "antialias": 1, "exclude_outside": 1, "axes": [1, 2]}
    center = mode == "center"
    nodes = [
        *(_parsed(SHORTER) if center else []),
        helper.make_node("Resize", [PICTURES, "", "", "fitted_size" if center else "size"], ["squashed"], **resize),
        helper.make_node("Transpose", ["squashed"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["values"], to=TensorProto.FLOAT),
    ]
    if center:
        nodes += [
            *_parsed(MATRIX.format(axis="height", place=0)),
            *_parsed(MATRIX.format(axis="width", place=1)),
            *_parsed(MIDDLE),
        ]
        numbers = {"zero": 0, "half": 0.5, "one": 1, "made": crop}
        constants |= {name: np.array(number, np.float32) for name, number in numbers.items()}
        constants |= {
            "made_centres": np.arange(crop, dtype=np.float32).reshape(-1, 1) + np.float32(0.5),
            "last_axis": np.array([1], np.int64),
        }
    nodes += [
        helper.make_node("Sub", ["middle" if center else "values", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], [images]),
    ]
    return [_named(node, images) for node in nodes], {f"service.{name}": value for name, value in constants.items()}


def _parsed(text: str) -> list[onnx.NodeProto]:
    return list(parser.parse_graph(text).node)


def _named(node: onnx.NodeProto, images: str) -> onnx.NodeProto:
    """A node whose names, but for those of the ends, are no names of the network."""
    ends = {"", PICTURES, images}
    for names in (node.input, node.output):
        names[:] = [name if name in ends else f"service.{name}" for name in names]
    node.name = f"service.{node.op_type.lower()}.{node.output[0].removeprefix('service.')}"
    return node
