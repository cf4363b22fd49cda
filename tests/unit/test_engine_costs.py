"""Every engine is measured in a process of its own, in turns with the others."""

import subprocess
import sys

import onnx
import pytest

from florilegium import engine_costs
from florilegium.engine_costs import Worker, in_turns, measure

KEYS = {
    *("file_mb", "load_seconds", "peak_memory_mb", "throughput"),
    *("p50_ms_1thread", "p95_ms_1thread", "p50_ms_all", "p95_ms_all"),
}


@pytest.fixture
def model_file(small_onnx, tmp_path):
    onnx.save(small_onnx[1], tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_each_engine_gets_size_load_time_memory_latencies_and_throughput(model_file, monkeypatch):
    monkeypatch.setattr(engine_costs, "MOST", 10)
    found = measure({"fp32": model_file, "int8": model_file}, 32, threads=2)
    assert list(found) == ["fp32", "int8"]
    for cost in found.values():
        assert cost.keys() == KEYS
        assert min(cost.values()) > 0
        assert cost["p50_ms_1thread"] <= cost["p95_ms_1thread"] and cost["p50_ms_all"] <= cost["p95_ms_all"]
        assert cost["file_mb"] == model_file.stat().st_size / 1e6
        assert 20 < cost["peak_memory_mb"] < 400, "a process without torch"


class Fake:
    """A worker that writes down what it was asked."""

    def __init__(self, name, asked):
        self._name, self._asked = name, asked

    def seconds(self, threads, batch, repetitions):
        self._asked.append((self._name, threads, batch, repetitions))
        return [0.001] * repetitions


def test_engines_take_turns_so_that_a_busy_machine_slows_all_alike():
    asked = []
    found = in_turns({name: Fake(name, asked) for name in "ab"}, threads=1, batch=1)
    assert asked[:6] == [("a", 1, 1, 2), ("b", 1, 1, 2)] + [("a", 1, 1, 5), ("b", 1, 1, 5)] * 2
    assert {len(seconds) for seconds in found.values()} == {50}, "the first two of each do not count"


def test_slow_engines_are_measured_for_a_bounded_time(monkeypatch):
    monkeypatch.setattr(engine_costs, "LIMIT_SECONDS", -1)
    found = in_turns({name: Fake(name, []) for name in "ab"}, threads=1, batch=1)
    assert {len(seconds) for seconds in found.values()} == {5}


def test_a_worker_that_cannot_start_is_an_error_and_not_a_wait(tmp_path):
    with pytest.raises(RuntimeError, match="the measuring process ended with status"):
        Worker("onnx", tmp_path / "missing.onnx", 32)


def test_the_worker_of_an_exported_file_loads_no_torch(project):
    code = "import sys, florilegium.engine_worker, florilegium.onnx_sessions; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project / "scripts", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
