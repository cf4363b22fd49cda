"""Lean activations compute what torch's own compute, and keep less."""

import copy

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from florilegium.activations import LeanReLU6, make_activations_lean


def kept_bytes(network, views):
    """Bytes that one forward pass keeps for its backward pass."""
    storages = {}

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = network(views)
        kept = sum(storages.values())  # while `output` holds them all
    return output, kept


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_b0", "mobilenet_v3_small"])
def test_outputs_and_gradients_are_the_same_bits(name):
    torch.manual_seed(0)
    plain = get_model(name, weights=None, num_classes=5).train()
    for layer in plain.modules():
        if isinstance(layer, nn.Dropout) or type(layer).__name__ == "StochasticDepth":
            layer.p = 0.0
    lean = make_activations_lean(copy.deepcopy(plain))
    views = torch.randn(4, 3, 64, 64) * 3
    for network in (plain, lean):
        network(views).square().sum().backward()
    for (name, one), other in zip(plain.named_parameters(), lean.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad), name
    assert plain.state_dict().keys() == lean.state_dict().keys()
    assert all(torch.equal(one, other) for one, other in zip(plain.buffers(), lean.buffers(), strict=True))


def test_the_limits_themselves_pass_no_gradient_as_in_torch():
    values = torch.tensor([-1.0, 0.0, 1e-3, 5.999, 6.0, 7.0])
    gradients = []
    for layer in (nn.ReLU6(), LeanReLU6(inplace=True).train()):
        leaf = values.clone().requires_grad_()
        layer(leaf * 1).sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)
    assert gradients[0].tolist() == [0, 0, 1, 1, 0, 0]


def test_mobilenet_keeps_a_third_less():
    plain = get_model("mobilenet_v2", weights=None, num_classes=5).train()
    views = torch.randn(4, 3, 64, 64)
    _, before = kept_bytes(plain, views)
    _, after = kept_bytes(make_activations_lean(copy.deepcopy(plain)), views)
    parameters = sum(parameter.nbytes for parameter in plain.parameters())
    assert (after - parameters) < 0.75 * (before - parameters)


def test_evaluation_leaves_its_input_alone():
    layer = LeanReLU6(inplace=True).eval()
    values = torch.tensor([-1.0, 7.0])
    assert layer(values).tolist() == [0, 6]
    assert values.tolist() == [-1, 7]
