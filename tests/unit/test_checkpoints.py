"""A checkpoint is tensors and plain metadata, readable without running anything, and builds its network again."""

import json
import os
from types import SimpleNamespace

import pytest
import torch

from florilegium.checkpoints import load_network, read_metadata, run_metadata, save_checkpoint
from florilegium.errors import UserError
from florilegium.networks import build_network

NAMES = ["Käthes Maiglanz", "rose", "NA"]


@pytest.fixture
def metadata(settings):
    wildcards = SimpleNamespace(recipe="small", architecture="resnet18", seed="7")
    manifest = SimpleNamespace(class_names=NAMES, fingerprint="f" * 64, protocol="fixed split", fold=None)
    return run_metadata(wildcards, settings | {"weights": "none"}, manifest, {"phase1": "cpu, fp32"})


def test_metadata_says_which_run_on_what_by_which_code_in_plain_values(metadata):
    assert json.loads(json.dumps(metadata)) == metadata
    assert (metadata["recipe"], metadata["architecture"], metadata["seed"]) == ("small", "resnet18", 7)
    assert metadata["weights"] == "none (random backbone)" and metadata["pretrained"] is False
    assert metadata["class_names"] == NAMES
    provenance = metadata["provenance"]
    assert provenance["dataset_sha256"] == "f" * 64
    assert provenance["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert provenance["commit"] and provenance["hardware"]["cores"] >= 1
    assert (provenance["protocol"], provenance["fold"]) == ("fixed split", None)
    assert provenance["arithmetic"] == {"phase1": "cpu, fp32"}


@pytest.mark.parametrize(
    ("architecture", "dropout"), [("resnet18", None), ("resnet18", 0.3), ("mobilenet_v2", 0.5), ("mnasnet0_5", None)]
)
def test_a_network_comes_back_bit_for_bit_in_eval_mode(metadata, tmp_path, architecture, dropout):
    metadata["architecture"], metadata["settings"]["dropout"] = architecture, dropout
    network = build_network(architecture, 3, dropout, seed=9)
    save_checkpoint(tmp_path / "final.pth", network.state_dict(), metadata)
    loaded, about = load_network(tmp_path / "final.pth")
    assert about == metadata == read_metadata(tmp_path / "final.pth") and not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_a_checkpoint_is_read_as_data_only(metadata, tmp_path):
    save_checkpoint(tmp_path / "a.pth", {"w": torch.ones(2, requires_grad=True).detach()}, metadata)
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    assert set(content) == {"state_dict", "metadata"} and content["metadata"] == metadata


class Hostile:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("read", [read_metadata, load_network])
def test_a_hostile_checkpoint_does_not_run(tmp_path, read):
    trace = tmp_path / "trace"
    torch.save({"state_dict": {}, "metadata": Hostile(f"touch {trace}")}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"x\.pth cannot be read.*it asks for posix\.system, .*it was not run"):
        read(tmp_path / "x.pth")
    assert not trace.exists()


def test_a_state_dict_that_is_no_checkpoint_is_refused(tmp_path):
    torch.save({"weight": torch.ones(2)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"x\.pth is no checkpoint of this workflow"):
        load_network(tmp_path / "x.pth")


def test_a_save_that_fails_leaves_the_checkpoint_before_it(metadata, tmp_path):
    path = tmp_path / "best.pth"
    save_checkpoint(path, {"w": torch.ones(2)}, metadata)
    before = path.read_bytes()
    with pytest.raises((AttributeError, TypeError, RuntimeError)):
        save_checkpoint(path, {"w": torch.zeros(2)}, {"cannot be pickled": lambda: None})
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["best.pth"]
