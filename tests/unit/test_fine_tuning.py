"""Phase 2 learns, repeats bit for bit, and keeps the recipe's batch when memory runs out."""

import copy
import logging
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from florilegium.devices import Arithmetic, DeviceImages
from florilegium.errors import UserError
from florilegium.fine_tuning import fine_tune
from florilegium.networks import build_network
from florilegium.pixels import Pixels
from florilegium.stepper import Stepper

CPU = torch.device("cpu")
FP32 = Arithmetic(CPU, torch.float32)


class Small(nn.Module):
    """A network without BatchNorm or dropout, so that a gradient is a plain sum over images."""

    def __init__(self, limit=10**6, error=None):
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
        self.limit, self.error, self.sizes = limit, error or torch.OutOfMemoryError("CUDA out of memory"), []

    def forward(self, views):
        if len(views) > self.limit:
            raise self.error
        self.sizes.append(len(views))
        return self.head(self.convolution(views).relu().mean(dim=(2, 3)))


def batch(count):
    random = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 8, 8, generator=random), torch.randint(0, 3, (count,), generator=random)


def stepped(network, settings, count=13, batch_size=16):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)  # zero: only the gradients are compared
    stepper = Stepper(network, optimizer, settings | {"batch_size": batch_size, "label_smoothing": 0.1}, FP32)
    return stepper, stepper.step(*batch(count))


@pytest.mark.parametrize("limit", [2, 3, 6, 12])
def test_out_of_memory_halves_the_micro_batch_and_keeps_the_gradient_of_the_full_batch(settings, limit):
    whole, pieces = Small(), Small(limit)
    _, expected = stepped(whole, settings)
    stepper, sums = stepped(pieces, settings)
    assert whole.sizes == [13] and max(pieces.sizes[-5:]) <= limit < 13
    for full, accumulated in zip(whole.parameters(), pieces.parameters(), strict=True):
        assert torch.allclose(full.grad, accumulated.grad, rtol=1e-5, atol=1e-6)
    assert torch.allclose(sums[0], expected[0]) and torch.equal(sums[1], expected[1])
    assert stepper.micro_batch <= limit


def test_the_smaller_micro_batch_is_kept_for_the_next_step(settings):
    network = Small(limit=4)
    stepper, _ = stepped(network, settings, count=16)
    network.sizes.clear()
    stepper.step(*batch(16))
    assert network.sizes == [4, 4, 4, 4]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_memory_that_runs_out_on_a_cpu_is_met_in_the_same_way(settings, error):
    network = Small(4, error)
    stepped(network, settings)
    assert max(network.sizes) <= 4


def test_when_two_images_do_not_fit_one_line_says_so(settings):
    with pytest.raises(
        UserError, match="out of memory even with micro-batches of 2 images; choose a smaller crop"
    ) as e:
        stepped(Small(limit=1), settings)
    assert "\n" not in str(e.value)


def test_any_other_error_of_the_network_is_not_taken_for_memory(settings):
    with pytest.raises(RuntimeError, match="shape mismatch"):
        stepped(Small(4, RuntimeError("shape mismatch")), settings)


def both_splits(mats, share=32):
    images = DeviceImages(Pixels(mats[0], torch.arange(share).numpy()), CPU)
    return images, torch.from_numpy(mats[1][:share])


def run(mats, settings, seed=1, **changes):
    network = build_network("resnet18", 2, None, seed=0)
    split = both_splits(mats)
    return network, fine_tune(network, split, split, settings | changes, seed, FP32)


def test_fine_tuning_learns_and_repeats_bit_for_bit_with_its_seed_only(mats, settings):
    settings["phase2"]["epochs"] = 6
    (first, outcome), (second, again), (third, _) = (run(mats, settings, seed) for seed in (1, 1, 2))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert not torch.equal(first.conv1.weight, third.conv1.weight)
    same = [
        {key: value for key, value in row.items() if key.startswith(("train_", "val_", "lr_"))}
        for row in outcome.history
    ]
    assert all(row.items() >= part.items() for row, part in zip(again.history, same, strict=True))
    assert outcome.history[-1]["train_loss"] < 0.8 * outcome.history[0]["train_loss"]
    start = build_network("resnet18", 2, None, seed=0)
    assert all(not torch.equal(a, b) for a, b in zip(first.parameters(), start.parameters(), strict=True)), "all learn"
    assert not torch.equal(first.bn1.running_mean, start.bn1.running_mean), (
        "BatchNorm is trained too, unlike in phase 1"
    )


def test_the_best_state_is_a_copy_that_later_epochs_do_not_change(mats, settings):
    settings["phase2"]["epochs"] = 1
    network, outcome = run(mats, settings)
    kept = copy.deepcopy(outcome.best_state)
    assert all(torch.equal(kept[name], tensor) for name, tensor in network.state_dict().items())
    network.conv1.weight.data.zero_()
    assert torch.equal(outcome.best_state["conv1.weight"], kept["conv1.weight"])


def test_a_learning_rate_that_explodes_ends_with_one_line(mats, settings):
    settings["phase2"] |= {"head_learning_rate": 1e30, "backbone_learning_rate": 1e30}
    with pytest.raises(
        UserError, match="^phase 2, epoch 1, batch 2 of 4: the loss is not a finite number .learning rate 1e.30."
    ):
        run(mats, settings)


def test_a_training_that_runs_out_of_memory_ends_all_the_same(mats, settings, monkeypatch, caplog):
    from torchvision.models import ResNet

    forward = ResNet.forward

    def limited(network, views):
        if network.training and len(views) > 4:
            raise torch.OutOfMemoryError("out of memory")
        return forward(network, views)

    monkeypatch.setattr(ResNet, "forward", limited)
    settings["phase2"]["epochs"] = 1
    with caplog.at_level(logging.INFO):
        _, outcome = run(mats, settings)
    assert len(outcome.history) == 1 and "micro-batches of 4 from now on" in caplog.text
    assert outcome.history[0]["micro_batch"] == 4


class Layered(Small):
    """Small with a BatchNorm and a dropout before the layer that runs out of memory."""

    def __init__(self, limit):
        super().__init__(limit)
        self.norm, self.dropout = nn.BatchNorm2d(3), nn.Dropout(0.5)

    def forward(self, views):
        return super().forward(self.dropout(self.norm(views)))


def test_a_failed_attempt_leaves_no_trace_in_batchnorm_or_dropout(settings):
    states = []
    for limit, batch_size in ((6, 16), (10**6, 6)):  # halved to 6 by force, or 6 from the start
        network = Layered(limit)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        stepper = Stepper(network, optimizer, settings | {"batch_size": batch_size, "label_smoothing": 0.0}, FP32)
        stepper.micro_batch = min(stepper.micro_batch, 17 if limit == 6 else 6)
        torch.manual_seed(5)
        stepper.step(*batch(13))
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert states[0]["norm.num_batches_tracked"] == 3


def test_a_failure_of_the_optimizers_own_step_is_not_repeated(settings):
    class Full(torch.optim.SGD):
        steps = 0

        def step(self, closure=None):
            self.steps += 1
            raise torch.OutOfMemoryError("out of memory")

    network = Small()
    optimizer = Full(network.parameters(), lr=0.1)
    stepper = Stepper(network, optimizer, settings, FP32)
    with pytest.raises(UserError, match="out of memory in the optimizer's step"):
        stepper.step(*batch(8))
    assert optimizer.steps == 1


CHILD = """
import resource, sys, torch
from pathlib import Path
from florilegium.devices import Arithmetic
from florilegium.stepper import Stepper

torch.set_num_threads(1)
torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
    torch.nn.Linear(64, 3),
)
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
settings = {"batch_size": 16, "label_smoothing": 0.0}
stepper = Stepper(network, optimizer, settings, Arithmetic(torch.device("cpu"), torch.float32))
stepper.step(torch.randn(2, 3, 130, 130), torch.tensor([0, 1]))  # libraries are loaded, threads have begun
views, labels = torch.randn(16, 3, 130, 130), torch.arange(16) % 3
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
loss, _ = stepper.step(views, labels)
print(stepper.micro_batch, loss.item(), network[0].weight.abs().sum().item())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS holds on Linux only")
def test_a_real_limit_of_memory_halves_the_micro_batch_and_keeps_the_result(project):
    """The same step in processes with room for all 16 images and for some: an image's activations take 12 MiB."""
    found = {}
    for room in (1000, 100):
        environment = os.environ | {"PYTHONPATH": str(project / "scripts")}
        command = [sys.executable, "-c", CHILD, str(room)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        micro_batch, loss, weights = done.stdout.split()
        found[room] = int(micro_batch), float(loss), float(weights)
    assert found[1000][0] == 17 and found[100][0] in (8, 4, 2)
    assert found[100][1:] == pytest.approx(found[1000][1:], rel=1e-5)
