"""A backbone's weights are loaded whole or refused by the names of their tensors, and never run code."""

import os
import pickle
from collections import OrderedDict

import pytest
import torch

from florilegium.errors import UserError
from florilegium.networks import build_network, describe_weights, head_name, load_backbone, weights_url
from florilegium.state_dicts import current_name, load_state, read_state


def backbone(seed=1, architecture="resnet18"):
    """A state dict as torchvision publishes it, 1000 classes."""
    return build_network(architecture, 1000, None, seed).state_dict()


def saved(content, path):
    torch.save(content, path)
    return path


def refusal(path, architecture="resnet18"):
    with pytest.raises(UserError) as caught:
        load_backbone(build_network(architecture, 5, None, seed=0), str(path), path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def assert_loaded(network, state):
    own = network.state_dict()
    head = head_name(network)
    for name in own:
        if not name.startswith(f"{head}."):
            assert torch.equal(own[name], state[name]), name


def test_everything_but_the_head_is_loaded(tmp_path):
    state, network = backbone(), build_network("resnet18", 5, None, seed=0)
    head = network.fc.weight.clone()
    load_backbone(network, "IMAGENET1K_V1", saved(state, tmp_path / "a.pth"))
    assert_loaded(network, state)
    assert torch.equal(network.fc.weight, head), "the head stays the run's own"


def test_a_missing_classifier_and_counters_are_fine(tmp_path):
    state = backbone()
    part = {name: tensor for name, tensor in state.items() if "fc." not in name and "num_batches" not in name}
    network = build_network("resnet18", 5, None, seed=0)
    load_backbone(network, "x.pth", saved(part, tmp_path / "x.pth"))
    assert torch.equal(network.layer4[1].bn2.running_var, state["layer4.1.bn2.running_var"])


def test_a_checkpoint_with_its_state_under_a_key_is_read(tmp_path):
    network, state = build_network("resnet18", 5, 0.5, seed=0), backbone()
    load_backbone(network, "x.pth", saved({"state_dict": state, "epoch": 3}, tmp_path / "x.pth"))
    assert torch.equal(network.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])


def test_none_loads_nothing():
    network = build_network("resnet18", 5, None, seed=0)
    before = network.conv1.weight.clone()
    load_backbone(network, "none", None)
    assert torch.equal(network.conv1.weight, before)


def test_missing_tensors_are_named(tmp_path):
    state = backbone()
    del state["layer3.0.conv2.weight"]
    message = refusal(saved(state, tmp_path / "x.pth"))
    assert "lacks layer3.0.conv2.weight" in message and "ResNet" in message


def test_tensors_of_another_shape_are_named_with_both_shapes(tmp_path):
    state = backbone()
    state["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    assert "conv1.weight (64, 1, 7, 7) instead of (64, 3, 7, 7)" in refusal(saved(state, tmp_path / "x.pth"))


def test_the_weights_of_another_network_are_refused_with_some_names_and_a_count(tmp_path):
    message = refusal(saved(backbone(architecture="mobilenet_v2"), tmp_path / "x.pth"))
    assert "lacks conv1.weight" in message and " more" in message and len(message) < 600


def test_a_refused_file_leaves_the_network_as_it_was(tmp_path):
    state, network = backbone(), build_network("resnet18", 5, None, seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    del state["bn1.bias"]
    with pytest.raises(UserError):
        load_backbone(network, "x.pth", saved(state, tmp_path / "x.pth"))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    "content", [[1, 2], {"a": 1}, {}, torch.zeros(3), {0: torch.zeros(1)}, {"state_dict": {"a": "b"}}]
)
def test_a_file_that_holds_something_else_is_refused(tmp_path, content):
    assert "holds no state dict" in refusal(saved(content, tmp_path / "x.pth"))


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "empty.pth").touch()
    whole = saved(backbone(), tmp_path / "whole.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    for name in ("page", "empty", "half", "absent"):
        assert "cannot be read as a state dict" in refusal(tmp_path / f"{name}.pth")


class Hostile:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_hostile_file_is_refused_and_does_not_run(tmp_path, write):
    trace = tmp_path / "trace"
    write({"state_dict": Hostile(f"touch {trace}")}, tmp_path / "x.pth")
    assert "cannot be read as a state dict" in refusal(tmp_path / "x.pth")
    assert not trace.exists()


def test_the_real_imagenet_backbone_is_loaded_whole(mobilenet_weights):
    network = build_network("mobilenet_v2", 102, None, seed=0)
    load_backbone(network, str(mobilenet_weights), mobilenet_weights)
    assert_loaded(network, read_state(mobilenet_weights))


# Torchvision's own loaders rename these, because its published files are older than its networks.
OLDER = {
    "denseblock1.denselayer2.norm.1.weight": "denseblock1.denselayer2.norm1.weight",
    "denseblock4.denselayer16.conv.2.weight": "denseblock4.denselayer16.conv2.weight",
    "encoder.layers.encoder_layer_0.mlp.linear_1.bias": "encoder.layers.encoder_layer_0.mlp.0.bias",
    "encoder.layers.encoder_layer_3.mlp.linear_2.weight": "encoder.layers.encoder_layer_3.mlp.3.weight",
}


def test_the_older_names_of_published_files_are_understood_and_no_others_touched():
    assert {older: current_name(older) for older in OLDER} == OLDER
    for architecture in ("densenet121", "vit_b_32", "resnet18", "efficientnet_b0", "swin_t", "convnext_tiny"):
        with torch.device("meta"):
            names = build_network(architecture, 5, None, seed=0).state_dict()
        assert [current_name(name) for name in names] == list(names)


def test_a_published_densenet_with_its_older_names_is_loaded(tmp_path):
    network = build_network("densenet121", 5, None, seed=0)
    state = dict(network.state_dict())
    older, today = (f"features.{name}" for name in list(OLDER.items())[0])
    state[older] = torch.full_like(state.pop(today), 0.125)
    load_backbone(network, "x.pth", saved(state, tmp_path / "x.pth"))
    assert (network.state_dict()[today] == 0.125).all()


def test_networks_that_ask_for_a_version_load_plain_dicts(tmp_path):
    state, network = backbone(architecture="mnasnet0_5"), build_network("mnasnet0_5", 5, None, seed=0)
    load_backbone(network, "x.pth", saved(dict(state), tmp_path / "x.pth"))
    assert_loaded(network, state)
    load_state(network, OrderedDict(build_network("mnasnet0_5", 5, None, seed=2).state_dict()))
    with pytest.raises(RuntimeError, match="Missing key"):
        load_state(network, {})


def test_a_download_is_checked_against_the_hash_in_its_name():
    url = weights_url("resnet18", "IMAGENET1K_V1")
    assert url.startswith("https://download.pytorch.org/models/") and url.endswith("-f37072fd.pth")


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ("none", "none (random backbone)"),
        ("IMAGENET1K_V1", "IMAGENET1K_V1"),
        ("../shared/weights/mobilenet_v2-imagenet.pth", "file mobilenet_v2-imagenet.pth"),
    ],
)
def test_where_weights_came_from_is_said_in_words(weights, text):
    assert describe_weights(weights) == text
