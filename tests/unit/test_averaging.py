"""Averages of weights are those of the formulas, statistics included, and resume as they were."""

import pytest
import torch
from torch import nn

from florilegium.averaging import Averaged, reestimate_batch_norm

PLAIN = {"epochs": 5, "ema_decay": None, "average_epochs": 0}


def network(value=0.0):
    layers = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    return set_to(layers, value)


def set_to(layers, value):
    layers[0].weight.data.fill_(value)
    layers[1].running_mean.fill_(10 * value)
    layers[1].num_batches_tracked.fill_(int(value))
    return layers


def after(values, phase2, resume_at=None):
    """What is kept after epochs of one step that leave `values`; before epoch `resume_at` a new average takes over."""
    trained = network()
    average = Averaged(trained, phase2)
    for epoch, value in enumerate(values):
        if epoch == resume_at:
            state = average.state_dict()
            average = Averaged(trained, phase2)
            average.load_state_dict(state)
        set_to(trained, value)
        average.after_step()
        average.after_epoch(epoch)
    return trained, average.network


def test_without_an_average_the_network_itself_is_kept():
    trained, kept = after([1, 2, 3], PLAIN)
    assert kept is trained


@pytest.mark.parametrize("resume_at", [None, 2])
def test_the_moving_average_of_weights_and_statistics(resume_at):
    trained, kept = after([1.0, 2.0, 4.0], PLAIN | {"ema_decay": 0.5}, resume_at)
    expected = 0.5 * (0.5 * 1 + 0.5 * 2) + 0.5 * 4  # the first step's weights begin it
    assert kept[0].weight.item() == pytest.approx(expected)
    assert kept[1].running_mean.item() == pytest.approx(10 * expected)
    assert trained[0].weight.item() == 4 and not kept[0].weight.requires_grad


@pytest.mark.parametrize("resume_at", [None, 4])
def test_the_plain_average_of_the_last_epochs_begins_with_them(resume_at):
    last = PLAIN | {"average_epochs": 3}
    _, before = after([9.0, 8.0], last)
    assert before[0].weight.item() == 8
    _, kept = after([9.0, 8.0, 1.0, 2.0, 6.0], last, resume_at)
    assert kept[0].weight.item() == pytest.approx(3) and kept[1].running_mean.item() == pytest.approx(30)


def test_both_averages_together_average_the_moving_one():
    _, kept = after([1.0, 2.0, 4.0, 4.0, 6.0], PLAIN | {"ema_decay": 0.5, "average_epochs": 2})
    moving = [1.0]
    for value in (2.0, 4.0, 4.0, 6.0):
        moving.append((moving[-1] + value) / 2)
    assert kept[0].weight.item() == pytest.approx(sum(moving[-2:]) / 2)


def test_reestimated_statistics_are_those_of_all_images_together():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).eval()
    images = torch.randn(64, 3) * torch.tensor([1.0, 2.0, 3.0]) + torch.tensor([5.0, 0.0, -5.0])
    reestimate_batch_norm([layers[0]], (layers(part) for part in images.split(16)))
    parts = torch.stack(images.split(16))
    assert torch.allclose(layers[0].running_mean, images.mean(0), atol=1e-5)
    assert torch.allclose(layers[0].running_var, parts.var(1).mean(0), atol=1e-5), "the mean over batches"
    assert layers[0].momentum == 0.1 and not layers[0].training


def test_a_network_without_batch_norm_computes_nothing_for_it():
    reestimate_batch_norm([], (pytest.fail("computed") for _ in range(1)))
