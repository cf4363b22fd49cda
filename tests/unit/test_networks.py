"""Any torchvision classifier gets a head of the right width, and its stages hold every other parameter once."""

import contextlib

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import list_models

from florilegium.errors import UserError
from florilegium.fine_tuning import parameter_groups
from florilegium.networks import build_network, head_dropout, head_name, set_module, stages, without_head

ALL = list_models(module=torchvision.models)
FIVE = ["resnet18", "resnet50", "efficientnet_b0", "efficientnet_b3", "mobilenet_v2"]


@contextlib.contextmanager
def weightless():
    """Layers built inside hold parameters without memory, so that the largest network costs nothing."""
    register = nn.Module.register_parameter

    def without_memory(module, name, parameter):
        register(module, name, None if parameter is None else nn.Parameter(parameter.to("meta")))

    nn.Module.register_parameter = without_memory
    try:
        yield
    finally:
        nn.Module.register_parameter = register


def test_torchvision_still_has_its_eighty_networks():
    assert len(ALL) >= 80


@pytest.mark.parametrize("architecture", ALL)
def test_every_network_gets_a_head_of_the_right_width_and_stages_for_the_rest(architecture):
    with weightless():
        network = build_network(architecture, 7, None, seed=0)
    head = network.get_submodule(head_name(network))
    assert isinstance(head, nn.Linear) and head.out_features == 7
    in_head = {id(parameter) for parameter in head.parameters()}
    in_stages = [id(parameter) for _, parameters in stages(network) for parameter in parameters]
    assert len(in_stages) == len(set(in_stages)), "no parameter learns twice"
    assert set(in_stages) == {id(parameter) for parameter in network.parameters()} - in_head, "and none is left out"
    assert len(stages(network)) >= 2
    features = [module for name, module in without_head(network).named_modules() if isinstance(module, nn.Identity)]
    assert features, "the head can be taken off"


@pytest.mark.parametrize("architecture", [*FIVE, "squeezenet1_0", "googlenet", "shufflenet_v2_x0_5", "mnasnet0_5"])
def test_a_network_answers_with_one_number_per_class(architecture):
    network = build_network(architecture, 5, None, seed=0).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 5)
        width = network.get_submodule(head_name(network)).in_features
        assert without_head(network)(torch.zeros(2, 3, 64, 64)).shape == (2, width)


@pytest.mark.parametrize("architecture", ["googlenet", "inception_v3"])
def test_networks_with_auxiliary_heads_give_plain_logits_while_training_too(architecture):
    network = build_network(architecture, 5, None, seed=0).train()
    side = 96 if architecture == "inception_v3" else 64
    assert isinstance(network(torch.zeros(2, 3, side, side)), torch.Tensor)


def test_one_seed_builds_one_network_and_another_seed_another():
    first, second, third = (build_network("mobilenet_v2", 5, None, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["features.0.0.weight"], third["features.0.0.weight"])
    assert not torch.equal(first["classifier.1.weight"], third["classifier.1.weight"])


def test_the_backbone_does_not_depend_on_the_number_of_classes():
    few, many = (build_network("resnet18", classes, None, seed=3).state_dict() for classes in (2, 102))
    assert all(torch.equal(few[name], many[name]) for name in few if not name.startswith("fc."))


@pytest.mark.parametrize(
    ("architecture", "own"),
    [("efficientnet_b3", 0.3), ("efficientnet_b0", 0.2), ("mobilenet_v2", 0.2), ("resnet18", 0.0), ("vgg11", 0.5)],
)
def test_dropout_before_the_head_is_the_networks_own_or_what_the_recipe_says(architecture, own):
    with weightless():
        assert head_dropout(build_network(architecture, 5, None, seed=0)) == own
        for asked in (0.0, 0.4):
            changed = build_network(architecture, 5, asked, seed=0)
            assert head_dropout(changed) == asked
            assert changed.get_submodule(head_name(changed)).out_features == 5


def test_dropout_that_a_network_does_not_have_really_drops_features_in_training():
    network = build_network("resnet18", 5, 0.9, seed=0)
    head, views = network.get_submodule(head_name(network)), torch.rand(8, 3, 32, 32)
    seen = []
    head.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    network.train()(views), network.eval()(views)
    assert (seen[0] == 0).float().mean() > 0.8 > (seen[1] == 0).float().mean()


def test_stages_run_from_the_input_to_the_output():
    with weightless():
        named = {name: [stage for stage, _ in stages(build_network(name, 5, None, seed=0))] for name in FIVE}
    assert named["resnet18"] == named["resnet50"] == ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]
    assert named["efficientnet_b0"] == [f"features.{place}" for place in range(9)]
    assert named["mobilenet_v2"] == [f"features.{place}" for place in range(19)]


def test_each_stage_learns_at_its_own_rate_and_the_head_at_the_heads(settings):
    settings["phase2"] |= {"backbone_learning_rate": 1e-4, "head_learning_rate": 1e-3, "stage_decay": 0.5}
    network = build_network("resnet18", 5, None, seed=0)
    groups = parameter_groups(network, settings)
    assert [group["name"] for group in groups] == ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "head"]
    assert [group["lr"] for group in groups] == [*(1e-4 * 0.5**n for n in (5, 4, 3, 2, 1, 0)), 1e-3]
    counted = sum(parameter.numel() for group in groups for parameter in group["params"])
    assert counted == sum(parameter.numel() for parameter in network.parameters())


def test_without_decay_all_stages_learn_alike(settings):
    groups = parameter_groups(build_network("mobilenet_v2", 5, 0.2, seed=0), settings)
    assert {group["lr"] for group in groups[:-1]} == {settings["phase2"]["backbone_learning_rate"]}
    assert groups[-1]["lr"] == settings["phase2"]["head_learning_rate"]


def test_a_network_without_any_head_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("florilegium.networks.get_model", lambda *_, **__: nn.Sequential(nn.Conv2d(3, 8, 3)))
    with pytest.raises(UserError, match="architectures: headless has no linear layer"):
        build_network("headless", 5, None, seed=0)


def test_a_nested_module_is_replaced_by_its_dotted_name():
    network = nn.Sequential(nn.Sequential(nn.Linear(1, 2)), nn.ReLU())
    set_module(network, "0.0", nn.Identity())
    assert isinstance(network[0][0], nn.Identity)
