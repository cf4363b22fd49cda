"""Grad-CAM lights what a network looks at, and every architecture has a layer for it or a reason why not."""

from collections import OrderedDict
from itertools import pairwise

import pytest
import torch
from torch import nn

import explain
from florilegium.explanations import grad_cam
from florilegium.layers import cam_layer, first_filters, outputs, places, stage_maps
from florilegium.networks import build_network

CPU = torch.device("cpu")
RED, BLUE = 0, 1  # classes of the small networks
SIDE = 8


class Corner(nn.Module):
    """Forgets everything but the top left quarter."""

    def forward(self, maps):
        kept = torch.zeros_like(maps)
        kept[:, :, : SIDE // 2, : SIDE // 2] = maps[:, :, : SIDE // 2, : SIDE // 2]
        return kept


def colour_network(*between, head=((1.0, 0.0), (0.0, 1.0)), bias=0.0):
    """How red and how blue a picture is: a map of each colour, layers of one's own, the mean, a linear head."""
    eye, linear = nn.Conv2d(3, 2, 1, bias=False), nn.Linear(2, 2)
    with torch.no_grad():
        eye.weight[:] = torch.tensor([[1.0, 0, 0], [0, 0, 1]])[:, :, None, None]
        linear.weight[:], linear.bias[:] = torch.tensor(head), bias
    layers = {"eye": eye} | {f"between{i}": layer for i, layer in enumerate(between)}
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "head": linear}
    return nn.Sequential(OrderedDict(layers)).eval()


def view(red=(), blue=()):
    """A black view with bright rectangles of rows and columns."""
    made = torch.zeros(1, 3, SIDE, SIDE)
    for channel, spots in ((0, red), (2, blue)):
        for rows, columns in spots:
            made[:, channel, slice(*rows), slice(*columns)] = 1
    return made


EVERYWHERE = ((0, SIDE), (0, SIDE))
SPOTS = view(red=[((0, 3), (0, 3))], blue=[((5, 8), (4, 8))])


def heats(network, layer, views, *classes):
    return grad_cam(network, layer, views, torch.tensor(classes), CPU)


@pytest.fixture(scope="module")
def resnet18():
    return build_network("resnet18", 5, None, seed=0).eval()


@pytest.fixture(scope="module")
def views():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_a_network_that_looks_at_one_corner_lights_that_corner():
    (heat,) = heats(colour_network(Corner()), "between0", view(red=[EVERYWHERE]), RED)
    lit = heat > 0
    assert lit[: SIDE // 2, : SIDE // 2].all() and lit.sum() == SIDE**2 / 4


@pytest.mark.parametrize(
    ("head", "bias"),
    [
        (((1.0, 0.0), (0.0, 1.0)), 0.0),
        (((1.0, 0.0), (0.0, 1.0)), -100.0),
        (((-1.0, -3.0), (-3.0, -1.0)), 0.0),  # whatever a picture shows speaks against both, but not equally
    ],
)
def test_each_class_lights_what_speaks_for_it_more_than_for_the_others(head, bias):
    network = colour_network(head=head, bias=bias)
    red, blue = heats(network, "eye", torch.cat([SPOTS, SPOTS]), RED, BLUE)
    assert ((red > 0) == (SPOTS[0, 0] > 0)).all()
    assert ((blue > 0) == (SPOTS[0, 2] > 0)).all()


def test_nothing_lights_where_everything_speaks_against_a_class():
    assert heats(colour_network(), "eye", view(red=[EVERYWHERE]), BLUE).max() == 0


def test_maps_are_taken_before_the_next_layer_writes_over_them():
    # Less than no red at all, right of the middle: it would be gone after the ReLU.
    one = view(red=[EVERYWHERE])
    one[:, 0, :, SIDE // 2 :] = -1
    network = colour_network(nn.ReLU(inplace=True), head=((-1.0, 0.0), (1.0, 0.0)))
    (heat,) = heats(network, "eye", one, RED)
    assert (heat[:, SIDE // 2 :] > 0).all() and (heat[:, : SIDE // 2] == 0).all()
    (maps,) = [maps for name, maps in stage_maps(network, one, 2) if name == "eye"]
    assert maps.min() == -1


def test_a_heat_has_the_size_of_its_layer_and_does_not_depend_on_its_batch(resnet18, views):
    together = heats(resnet18, "layer3", views, 1, 4)
    assert together.shape == (2, 4, 4) and together.dtype == torch.float32 and together.min() >= 0
    assert (together.amax(dim=(1, 2)) > 0).all()
    for i, label in enumerate((1, 4)):
        assert torch.equal(heats(resnet18, "layer3", views[i : i + 1], label)[0], together[i])
    assert not torch.allclose(heats(resnet18, "layer3", views[:1], 2)[0], together[0]), "it is about its class"


def test_an_explained_network_is_as_it_was(resnet18, views):
    before = {name: tensor.clone() for name, tensor in resnet18.state_dict().items()}
    calm = heats(resnet18, "layer3", views[:1], 0)
    resnet18.train()
    try:
        assert torch.equal(heats(resnet18, "layer3", views[:1], 0), calm), "explained as it is evaluated"
        assert all(layer.training for layer in resnet18.modules())
    finally:
        resnet18.eval()
    cam_layer(resnet18, views[:1]), stage_maps(resnet18, views[:1], 2), first_filters(resnet18)
    assert all(torch.equal(tensor, before[name]) for name, tensor in resnet18.state_dict().items())
    assert all(parameter.grad is None for parameter in resnet18.parameters())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in resnet18.modules())


@pytest.mark.parametrize("state", ["frozen", "bf16"])
def test_frozen_and_half_precise_networks_are_explained_too(state):
    network = colour_network().requires_grad_(False) if state == "frozen" else colour_network().bfloat16()
    assert torch.equal(heats(network, "eye", SPOTS, RED), heats(colour_network(), "eye", SPOTS, RED))


def weightless(architecture, side):
    """A network and a view with shapes alone: no memory, no arithmetic."""
    with torch.device("meta"):
        return build_network(architecture, 5, None, seed=0).eval(), torch.empty(1, 3, side, side)


@pytest.mark.parametrize(
    ("architecture", "side", "layer", "rows"),
    [
        ("resnet18", 64, "layer3", 4),
        ("resnet18", 128, "layer4", 4),
        ("mobilenet_v2", 64, "features.13", 4),
        ("efficientnet_b0", 64, "features.5", 4),
        ("vgg11", 64, "features.19", 4),
        ("squeezenet1_1", 64, "features.7", 7),
        ("densenet121", 64, "features.denseblock3", 4),
        ("convnext_tiny", 64, "features.5", 4),
        ("swin_t", 224, "permute", 7),
    ],
)
def test_the_last_layer_with_maps_that_say_where_is_asked(architecture, side, layer, rows):
    network, picture = weightless(architecture, side)
    assert cam_layer(network, picture) == (layer, "")
    (found,) = [output for output in outputs(network, picture) if output.name == layer]
    assert found.shape[2:] == (rows, rows)


@pytest.mark.parametrize(
    ("architecture", "side", "reason"),
    [
        ("vit_b_16", 224, "after conv_proj it mixes patches as a sequence"),
        ("swin_t", 64, "after features.0.0 its maps have the channels last"),
        ("resnet18", 6, "no layer gives maps of 4 x 4 or more at 6 x 6 pixels"),
    ],
)
def test_a_network_without_such_a_layer_has_a_reason(architecture, side, reason):
    layer, text = cam_layer(*weightless(architecture, side))
    assert layer is None and text.startswith(reason)


def test_a_layer_that_is_called_again_has_no_single_map():
    again = nn.Conv2d(2, 2, 1)
    network = colour_network(nn.Conv2d(2, 2, 1), again, again)
    calls = {output.name: output.calls for output in outputs(network, SPOTS)}
    assert calls["between1"] == 2 and calls["eye"] == calls["between0"] == 1
    assert cam_layer(network, SPOTS) == ("between0", "")
    only = nn.Conv2d(3, 3, 1)
    network = nn.Sequential(only, nn.ReLU(), only, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    assert cam_layer(network, SPOTS) == ("1", ""), "where every stage is called again, a layer that is not"


@pytest.mark.parametrize(
    ("architecture", "names", "sides"),
    [
        ("resnet18", ["bn1", "layer1", "layer2", "layer3", "layer4"], [32, 16, 8, 4, 2]),
        ("mobilenet_v2", [f"features.{i}" for i in (1, 3, 6, 13, 18)], [32, 16, 8, 4, 2]),
        ("squeezenet1_1", [f"features.{i}" for i in (0, 4, 7, 12)], [31, 15, 7, 3]),
        ("swin_t", ["features.1", "features.3", "features.5", "norm"], [16, 8, 4, 2]),  # channels last
    ],
)
def test_the_maps_of_the_stages_shrink_from_the_input_to_the_output(resnet18, views, architecture, names, sides):
    network = resnet18 if architecture == "resnet18" else build_network(architecture, 5, None, seed=0).eval()
    found = stage_maps(network, views[:1], 3)
    assert [name for name, _ in found] == names
    assert [tuple(maps.shape) for _, maps in found] == [(3, side, side) for side in sides]
    order = [output.name for output in outputs(network, views[:1])]
    assert all(order.index(one) < order.index(next_one) for one, next_one in pairwise(names))


def test_a_stage_that_is_several_in_a_row_counts_as_its_parts():
    network, picture = weightless("vgg11", 64)
    sides = [output.shape[-1] for output in places(network, outputs(network, picture)) if len(output.shape) == 4]
    assert sorted({*sides}, reverse=True) == [64, 32, 16, 8, 4, 2] and sides == sorted(sides, reverse=True)


def test_the_maps_shown_are_those_that_differ_most_over_the_picture():
    network = colour_network()
    network.eye = nn.Conv2d(3, 4, 1, bias=False)
    network.head = nn.Linear(4, 2)
    with torch.no_grad():
        network.eye.weight[:] = torch.tensor([[0.0, 1, 0], [2, 0, 0], [0, 0, 0], [5, 0, 0]])[:, :, None, None]
    ((name, maps),) = stage_maps(network, SPOTS, 2)
    assert name == "eye" and torch.equal(maps, torch.stack([2 * SPOTS[0, 0], 5 * SPOTS[0, 0]]))


def test_the_first_filters_are_the_weights_over_red_green_and_blue(resnet18):
    weights, name = first_filters(resnet18)
    assert weights.shape == (64, 3, 7, 7) and name == "conv1"
    assert torch.equal(weights, resnet18.conv1.weight)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), "its first layer, 1, is no convolution over red, green and"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)), "its first layer, 0, is no convolution over red"),
        (nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)), "its first layer, 0, is no convolution over red"),
        (nn.Sequential(nn.Flatten(), nn.ReLU()), "it has no convolution"),
    ],
)
def test_a_network_without_such_filters_has_a_reason(network, reason):
    weights, text = first_filters(network)
    assert weights is None and text.startswith(reason)
    assert explain.filters(network) == {"filter_layer": "", "filter_reason": text}


def test_one_bright_place_does_not_make_a_map_lively():
    # As in a corner where the padding of many layers meets; here red in one pixel of 64, blue a little everywhere.
    spot = view(red=[((0, 1), (0, 1))])
    spot[:, 2] = torch.linspace(0, 0.3, SIDE)
    assert spot[0, 0].std() > spot[0, 2].std()
    ((_, maps),) = stage_maps(colour_network(), spot, 1)
    assert torch.equal(maps[0], spot[0, 2])


def test_of_very_many_filters_those_with_the_largest_weights_are_kept_in_their_order():
    network = nn.Sequential(nn.Conv2d(3, 100, 2))
    with torch.no_grad():
        network[0].weight[:] = 1 + torch.arange(100.0)[:, None, None, None]
        network[0].weight[7] = -1000
    found = explain.filters(network)
    assert found["filter_count"] == 100 and found["filter_layer"] == "0"
    assert found["filters"][:, 0, 0, 0].tolist() == [5, 6, 7, -1000, *range(9, 101)]
