"""The parts of an epoch leave nothing out, whatever clock notes them, and noting them waits for no device."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from florilegium import fine_tuning, head, part_times, stepper, training
from florilegium.devices import Arithmetic, DeviceImages
from florilegium.networks import build_network
from florilegium.part_times import PARTS, EventClock, PartClock, SampledClock, part_clock
from florilegium.pixels import Pixels

CPU = torch.device("cpu")
COLUMNS = [f"{part}_seconds" for part in PARTS]


class Time:
    """A clock that stands still until something takes time."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def spend(self, seconds):
        self.now += seconds


class Ticks(Time):
    """A clock on which every look at it takes a second."""

    def __call__(self):
        self.now += 1
        return self.now


def test_a_lap_counts_for_the_part_that_it_ends():
    time = Time()
    clock = PartClock(time)
    clock.lap("data")  # before the epoch: not counted
    clock.start()
    for part, seconds in (("data", 1), ("forward", 2), ("backward", 4), ("forward", 8), ("backward", 16)):
        time.spend(seconds)
        clock.lap(part)
    time.spend(32)
    clock.lap("update")
    parts = clock.read(63)
    assert parts == dict(zip(COLUMNS, (1, 10, 20, 32), strict=True)) and list(parts) == COLUMNS
    clock.lap("update")
    clock.start()
    assert sum(clock.read(0).values()) == 0, "each epoch begins at zero"


class Device:
    """A device that works through its queue while the host goes ahead: a piece of work, or an event to note."""

    def __init__(self):
        self.now, self.queue, self.waits, self.events = 0.0, [], 0, 0

    def work(self, seconds):
        self.queue.append(seconds)

    def event(self):
        self.events += 1
        noted = SimpleNamespace(at=None)
        noted.record = lambda: self.queue.append(noted)
        noted.synchronize = self.finish
        noted.elapsed_time = lambda end: 1000 * (end.at - noted.at)
        return noted

    def finish(self):
        self.waits += 1
        for item in self.queue:
            if isinstance(item, SimpleNamespace):
                item.at = self.now
            else:
                self.now += item
        self.queue.clear()


@pytest.mark.parametrize("fold", [4096, 8, 3, 1])
def test_events_are_read_when_the_epoch_is_over_and_no_batch_waits(monkeypatch, fold):
    monkeypatch.setattr(part_times, "FOLD", fold)
    device = Device()
    clock = EventClock(device.event)
    for epoch in (1, 2):
        clock.start()
        for _ in range(5):
            for part, seconds in zip(PARTS, (1, 2, 4, 8), strict=True):
                device.work(seconds * epoch)
                clock.lap(part)
        assert device.waits == 0 or fold < 20
        assert clock.read(math.nan) == dict(zip(COLUMNS, np.multiply([5, 10, 20, 40], epoch), strict=True))
        device.waits = 0
    assert device.events == min(20, fold) + 1, "used again in every epoch"


def test_on_mps_one_batch_of_many_waits_and_its_shares_stand_for_the_epoch():
    device, waits = Time(), []
    clock = SampledClock(lambda: waits.append(device.now), device)
    clock.start()
    for batch in range(40):
        for part, seconds in zip(PARTS, (1, 2, 4, 1), strict=True):
            device.spend(100 if batch == 0 else seconds)  # the first compiles
            clock.lap(part)
    assert len(waits) == 3 * 5, "batches 1, 17 and 33: before, and after each part"
    parts = clock.read(trained=80.0)
    assert parts == pytest.approx(dict(zip(COLUMNS, (10, 20, 40, 10), strict=True)))


def test_on_mps_a_single_batch_is_not_measured():
    clock = SampledClock(lambda: None, Time())
    clock.start()
    for part in PARTS:
        clock.lap(part)
    assert all(math.isnan(seconds) for seconds in clock.read(1.0).values())


@pytest.mark.parametrize(("name", "kind"), [("cpu", PartClock), ("cuda", EventClock), ("mps", SampledClock)])
def test_every_device_has_its_clock(name, kind):
    assert type(part_clock(torch.device(name))) is kind


@pytest.fixture
def ticks(monkeypatch):
    """Training on a clock of which every look takes a second: what a part's seconds say is how often it ended."""
    time = Ticks()
    monkeypatch.setattr(training.time, "perf_counter", time)
    monkeypatch.setattr(stepper, "part_clock", lambda device: PartClock(time))
    monkeypatch.setattr(head, "PartClock", lambda: PartClock(time))


def check(history, expected):
    """Rows whose parts are `expected` and leave of the training only the looks at its beginning and end."""
    for row in history:
        assert [row[column] for column in COLUMNS] == expected
        trained = row["seconds"] - row["validation_seconds"]
        assert trained - sum(expected) == 2
        assert row["validation_seconds"] == 1


def test_phase_1_tells_the_clock_of_every_batch(settings, ticks):
    labels = torch.arange(40) % 4
    views = np.random.default_rng(0).normal(size=(2, 40, 8)).astype(np.float16)
    val = torch.from_numpy(views[0]).float(), labels
    outcome = head.train_head(torch.nn.Linear(8, 4), 0.5, (views, labels), val, settings, 1)
    assert len(outcome.history) == 2
    check(outcome.history, [5, 5, 5, 5])


@pytest.mark.parametrize(("limit", "pieces"), [(100, 1), (4, 2), (2, 4)])
def test_phase_2_adds_up_what_micro_batches_take(mats, settings, ticks, monkeypatch, limit, pieces):
    from torchvision.models import ResNet

    forward = ResNet.forward

    def limited(network, views):
        if network.training and len(views) > limit:
            raise torch.OutOfMemoryError("out of memory")
        return forward(network, views)

    monkeypatch.setattr(ResNet, "forward", limited)
    images = DeviceImages(Pixels(mats[0], np.arange(32)), CPU), torch.from_numpy(mats[1])
    network, arithmetic = build_network("resnet18", 2, None, seed=0), Arithmetic(CPU, torch.float32)
    outcome = fine_tuning.fine_tune(network, images, images, settings, 1, arithmetic)
    assert [row["micro_batch"] for row in outcome.history] == [8 // pieces] * 2
    check(outcome.history, [4, 4 * pieces, 4 * pieces, 2 * 4])  # the update, then schedule and average


def test_an_event_clock_changes_nothing_that_is_learned(mats, settings, monkeypatch):
    states = []
    for clock in (lambda device: PartClock(), lambda device: EventClock(Device().event)):
        monkeypatch.setattr(stepper, "part_clock", clock)
        images = DeviceImages(Pixels(mats[0], np.arange(32)), CPU), torch.from_numpy(mats[1])
        network = build_network("resnet18", 2, None, seed=0)
        outcome = fine_tuning.fine_tune(network, images, images, settings, 1, Arithmetic(CPU, torch.float32))
        states.append(outcome.best_state)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
