"""What the local page is made of, without the page: the runs it finds, heat maps, ports."""

import socket

import numpy as np
import pytest
import torch
from PIL import Image

import heat_maps
import loopback
import serving
from florilegium.checkpoints import save_checkpoint
from florilegium.errors import UserError
from florilegium.files import write_json
from florilegium.layers import cam_layer
from florilegium.networks import build_network, head_name


def test_runs_are_found_by_their_exported_files(tmp_path):
    for name in ("resnet18/seed2", "resnet18/seed1", "mobilenet_v2/seed1"):
        folder = tmp_path / "runs" / "lesson" / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").touch()
    (tmp_path / "runs" / "lesson" / "vgg11" / "seed1").mkdir(parents=True)  # not exported yet
    (folder / "model.int8.onnx").touch()
    write_json(folder / "metrics.json", {"pretrained": False})
    write_json(folder / "onnx_check.json", {"formats": {"int8": {"recommended": False}}})
    runs = serving.finished_runs(tmp_path)
    assert [(run.architecture, run.seed) for run in runs] == [("mobilenet_v2", 1), ("resnet18", 1), ("resnet18", 2)]
    assert [run.pretrained for run in runs] == [False, True, True]
    assert [(path.name, runs[0].avoided(path)) for path in runs[0].files] == [
        ("model.onnx", False),
        ("model.int8.onnx", True),
    ]


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no exported network; run the workflow first"):
        serving.finished_runs(tmp_path)


@pytest.fixture
def checkpoint(tmp_path):
    """A resnet18 whose every place speaks against every class, least of all against the one of the bright half."""
    return saved(tmp_path)


def saved(folder, **settings):
    """The checkpoint of that network; without `settings` as it was before there were `resize_mode` and `test_crop`."""
    network = build_network("resnet18", 2, None, seed=0)
    head = network.get_submodule(head_name(network))
    with torch.no_grad():
        head.weight.copy_(head.weight.abs().neg() * torch.tensor([[1.0], [3.0]]))
    about = {"architecture": "resnet18", "class_names": ["one", "other"], "settings": {"crop": 96, "dropout": None}}
    about["settings"] |= settings
    save_checkpoint(folder / "final.pth", network.state_dict(), about)
    return folder / "final.pth"


def test_a_heat_map_shows_what_sets_a_class_apart_even_when_all_logits_are_negative(checkpoint):
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[:, 45:] = np.random.default_rng(0).integers(0, 256, (60, 45, 3))
    heat = heat_maps.heat_map(checkpoint, Image.fromarray(picture), "one")
    assert heat.shape == (3, 3)
    assert (heat.min(), heat.max()) == (0, 1)


def test_the_overlay_has_the_shape_of_the_photograph_and_not_of_the_square(checkpoint):
    drawn = heat_maps.overlay(checkpoint, Image.new("RGB", (900, 600), "green"), "other")
    assert drawn.size == (heat_maps.SHOWN, round(heat_maps.SHOWN * 600 / 900))


@pytest.mark.parametrize(("mode", "share"), [("center", 1), ("imagenet", 7 / 8)])
def test_a_network_that_sees_the_middle_has_its_heat_map_there(tmp_path, mode, share):
    path = saved(tmp_path, resize_mode=mode, test_crop=128)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 900, 3), dtype=np.uint8))
    assert heat_maps.heat_map(path, picture, "one").shape == (4, 4)
    drawn = np.asarray(heat_maps.overlay(path, picture, "one"), float)
    picture.thumbnail((heat_maps.SHOWN,) * 2)
    edge = (drawn.shape[1] - round(share * drawn.shape[0])) // 2
    unseen = np.r_[:edge, drawn.shape[1] - edge + 1 : drawn.shape[1]]
    changed = np.abs(drawn - 0.8 * np.asarray(picture, float)) > 1
    assert not changed[:, unseen].any() and changed[:, edge:-edge].mean() > 0.1


def test_a_network_that_keeps_no_places_has_no_heat_map():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    assert cam_layer(network, torch.zeros(1, 3, 2, 2), smallest=2)[0] is None


def test_a_port_that_is_taken_is_passed_over():
    with socket.socket() as taken:
        taken.bind((loopback.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert loopback.free_port(port) in range(port + 1, port + 11)
