"""Learning rates: what each kind of schedule gives, step by step, and that an interrupted one goes on as it was."""

import math

import pytest
import torch

from florilegium.schedules import Schedule, cosine_share

STEP = {"kind": "step", "step_size": 2, "gamma": 0.1, "warmup": 0.25}


def optimizer():
    weight = torch.nn.Parameter(torch.ones(1))
    return torch.optim.AdamW([{"params": [weight], "lr": 0.5}, {"params": [], "lr": 1.0}], lr=1.0)


def rates(settings, epochs, steps, stop_after=None):
    """The learning rates (backbone, head) of every step; `stop_after` epochs a new schedule takes over."""
    moved, found = optimizer(), []
    schedule = Schedule(moved, settings, epochs, steps)
    for epoch in range(epochs):
        for _ in range(steps):
            found.append([group["lr"] for group in moved.param_groups])
            moved.step()
            schedule.after_step()
        schedule.after_epoch()
        if stop_after == epoch + 1:
            states = moved.state_dict(), schedule.state_dict()
            moved = optimizer()
            schedule = Schedule(moved, settings, epochs, steps)
            moved.load_state_dict(states[0])
            schedule.load_state_dict(states[1])
    return torch.tensor(found)


def test_step_waits_for_the_end_of_epochs():
    found = rates(STEP, epochs=5, steps=3)
    expected = [1.0] * 6 + [0.1] * 6 + [0.01] * 3
    assert torch.allclose(found[:, 1], torch.tensor(expected)) and torch.allclose(found[:, 0], found[:, 1] / 2)


def test_one_cycle_rises_to_the_learning_rate_and_falls_to_nearly_nothing():
    found = rates(STEP | {"kind": "one_cycle"}, epochs=4, steps=10)
    top = int(found[:, 1].argmax())
    assert found[0, 1] == pytest.approx(1 / 25) and found[top, 1] == pytest.approx(1, abs=0.01)
    assert top == pytest.approx(0.25 * 40, abs=1) and 0 < found[-1, 1] < 0.01
    assert (found[: top + 1, 1].diff() > 0).all() and (found[top:, 1].diff() < 0).all()
    assert torch.allclose(found[:, 0], found[:, 1] / 2)


def test_cosine_rises_in_a_line_and_falls_along_a_cosine():
    found = rates(STEP | {"kind": "cosine"}, epochs=4, steps=10)[:, 1]
    assert torch.allclose(found[:10], torch.arange(1, 11) / 10)
    falling = torch.tensor([(1 + math.cos(math.pi * step / 30)) / 2 for step in range(30)])
    assert torch.allclose(found[10:], falling, atol=1e-6)


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (1, 1.0), (2, 0.5), (3, 0.0)])
def test_the_shortest_warm_up_is_one_step(step, share):
    assert cosine_share(step, 3, 0.01) == pytest.approx(share)


@pytest.mark.parametrize("kind", ["step", "one_cycle", "cosine"])
def test_an_interrupted_schedule_goes_on_bit_for_bit(kind):
    settings = STEP | {"kind": kind}
    assert torch.equal(rates(settings, 4, 5), rates(settings, 4, 5, stop_after=2))
