"""The fast engines say what the plain network says."""

import numpy as np
import pytest
import torch

from florilegium.augment import evaluation_view
from florilegium.devices import Arithmetic, DeviceImages
from florilegium.inference import (
    WORTH_AN_EXPORT,
    evaluation_outputs,
    inference_arithmetic,
    inference_engine,
    onnx_engine,
    torch_engine,
)
from florilegium.networks import build_network, without_head
from florilegium.pixels import Pixels

CPU = torch.device("cpu")
FP32 = Arithmetic(CPU, torch.float32)
FIVE = ["resnet18", "resnet50", "efficientnet_b0", "efficientnet_b3", "mobilenet_v2"]


def worn(architecture):
    """A network in eval mode whose BatchNorm statistics and scales are not the initial ones."""
    network = build_network(architecture, 5, None, seed=0)
    random = torch.Generator().manual_seed(1)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2, generator=random)
            layer.running_var.uniform_(0.5, 1.5, generator=random)
            layer.weight.data.uniform_(0.8, 1.2, generator=random)
            layer.bias.data.uniform_(-0.1, 0.1, generator=random)
    return network.eval()


def views(count=5, side=64):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(2))


def assert_same(found, expected, share):
    assert found.dtype == torch.float32 and found.shape == expected.shape
    assert (found - expected).abs().max() < share * expected.abs().max()


@pytest.mark.parametrize("architecture", [*FIVE, "googlenet", "densenet121", "vgg11_bn", "swin_t"])
def test_folding_batchnorm_changes_no_logit(architecture):
    network = worn(architecture)
    with torch.inference_mode():
        expected = network(views())
        assert_same(torch_engine(network, FP32)(views()), expected, 1e-4)


@pytest.mark.parametrize("architecture", ["mobilenet_v2"])
def test_onnxruntime_gives_the_features_of_the_plain_network_for_any_batch_size(architecture):
    network = without_head(worn(architecture))
    engine = onnx_engine(network, 64)
    for count in (1, 2, 5):
        with torch.inference_mode():
            expected = network(views(count))
        assert_same(engine(views(count)), expected, 1e-4)


def test_bf16_is_close_to_fp32():
    network = worn("resnet18")
    with torch.inference_mode():
        expected = network(views())
    assert_same(torch_engine(network, Arithmetic(CPU, torch.bfloat16))(views()), expected, 0.05)


class Cancelling(torch.nn.Module):
    """Outputs that are what is left of large numbers: eight bits do not hold them."""

    def forward(self, views):
        return (views + 300).mean((2, 3)) - 300


def test_reduced_precision_is_for_networks_whose_outputs_it_leaves_where_they_are(mats):
    images, bf16 = DeviceImages(Pixels(mats[0], np.arange(32)), CPU), Arithmetic(CPU, torch.bfloat16)
    assert inference_arithmetic(worn("resnet18"), bf16, images, 32) == bf16
    assert inference_arithmetic(Cancelling(), bf16, images, 32) == FP32
    assert inference_arithmetic(Cancelling(), FP32, images, 32) == FP32


def test_an_engine_is_a_copy_in_eval_mode_and_leaves_the_network_in_training():
    network = worn("resnet18").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    engine = torch_engine(network, FP32)
    first = engine(views())
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    network.fc.weight.data.zero_()
    assert torch.equal(engine(views()), first), "the engine is of the network as it was"


def test_the_outputs_of_a_split_are_those_of_its_evaluation_views_in_order(mats):
    images = DeviceImages(Pixels(mats[0], torch.arange(31, 8, -1).numpy()), CPU)
    network = worn("resnet18")
    found = evaluation_outputs(torch_engine(network, FP32), images, 32)
    with torch.inference_mode():
        expected = network(evaluation_view(images.batch(torch.arange(23)), 32))
    assert_same(found, expected, 1e-4)


def test_an_export_is_made_only_where_it_comes_back(monkeypatch):
    made = []
    monkeypatch.setattr("florilegium.inference.onnx_engine", lambda network, crop: made.append("onnx") or "onnx")
    monkeypatch.setattr("florilegium.inference.torch_engine", lambda network, arithmetic: "torch")
    assert inference_engine(None, FP32, 1, WORTH_AN_EXPORT) == "onnx"
    assert inference_engine(None, FP32, 1, WORTH_AN_EXPORT - 1) == "torch"
    assert inference_engine(None, Arithmetic(CPU, torch.bfloat16), 1, WORTH_AN_EXPORT) == "torch"
    assert inference_engine(None, Arithmetic(torch.device("cuda"), torch.float32), 1, WORTH_AN_EXPORT) == "torch"
    assert made == ["onnx"]


def test_a_network_that_cannot_be_exported_is_computed_by_torch(monkeypatch):
    def fail(network, crop):
        raise RuntimeError("no such operator")

    monkeypatch.setattr("florilegium.inference.onnx_engine", fail)
    network = worn("resnet18")
    engine = inference_engine(network, FP32, 64, WORTH_AN_EXPORT)
    with torch.inference_mode():
        assert_same(engine(views()), network(views()), 1e-4)


def test_the_mirror_image_exchanges_left_and_right(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    for name, content in (("plain", array), ("turned", array[:, :, ::-1])):
        np.save(tmp_path / f"{name}.npy", np.ascontiguousarray(content))
    plain, turned = (DeviceImages(Pixels(tmp_path / f"{name}.npy", np.arange(5)), CPU) for name in ("plain", "turned"))
    engine = torch.nn.Flatten()
    mirrored = evaluation_outputs(engine, plain, 12, mirrored=True)
    assert_same(mirrored, evaluation_outputs(engine, turned, 12), 0.01)
    assert not torch.equal(mirrored, evaluation_outputs(engine, plain, 12))
