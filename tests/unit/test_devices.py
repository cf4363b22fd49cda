"""CUDA before MPS before CPU, and bf16 only where the hardware computes in it."""

import os
import subprocess
import sys

import pytest
import torch

from florilegium import devices
from florilegium.errors import UserError
from florilegium.pixels import Pixels


@pytest.fixture
def machine(monkeypatch):
    """A function that says which devices this machine has."""

    def has(cuda=False, mps=False, bf16=False, gain=0.0):
        monkeypatch.delenv("FLORILEGIUM_DEVICE", raising=False)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16)
        monkeypatch.setattr(devices, "bf16_gain", lambda: gain)

    return has


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"cuda": True, "mps": True}, "cuda"),
        ({"cuda": True}, "cuda"),
        ({"mps": True}, "mps"),
        ({}, "cpu"),
    ],
)
def test_cuda_comes_first_then_mps_then_the_cpu(machine, there, chosen):
    machine(**there)
    assert devices.choose_device().type == chosen
    assert devices.choose_arithmetic("fp32").device.type == chosen


def test_the_environment_names_another_device_or_is_refused(machine, monkeypatch):
    machine(cuda=True)
    monkeypatch.setenv("FLORILEGIUM_DEVICE", "cpu")
    assert devices.choose_device().type == "cpu"
    monkeypatch.setenv("FLORILEGIUM_DEVICE", "mps")
    with pytest.raises(UserError, match="FLORILEGIUM_DEVICE: 'mps' is not here; expected one of cuda, cpu"):
        devices.choose_device()


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"cuda": True, "bf16": True}, torch.bfloat16),
        ({"cuda": True, "bf16": False}, torch.float16),  # emulated bf16 is slower than fp16
        ({"mps": True}, torch.float32),
        ({"gain": 2.0}, torch.bfloat16),
        ({"gain": 0.5}, torch.float32),  # instructions that are slower than fp32's
        ({"gain": 0.0}, torch.float32),
    ],
)
def test_auto_takes_what_the_hardware_computes_in(machine, there, chosen):
    machine(**there)
    assert devices.choose_arithmetic("auto").dtype == chosen


@pytest.mark.parametrize(("precision", "dtype"), list(devices.FORMATS.items()))
def test_a_named_precision_is_taken_at_its_word(machine, precision, dtype):
    machine(cuda=True, bf16=True)
    assert devices.choose_arithmetic(precision).dtype == dtype


def test_fp16_on_a_cpu_is_refused(machine):
    machine()
    with pytest.raises(UserError, match="precision: fp16 on a CPU; expected auto, fp32 or bf16"):
        devices.choose_arithmetic("fp16")


def test_without_bf16_instructions_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    devices.bf16_gain.cache_clear()
    assert devices.bf16_gain() == 0
    devices.bf16_gain.cache_clear()


def test_arithmetic_describes_itself_and_lays_out_channels_last():
    arithmetic = devices.Arithmetic(torch.device("cpu"), torch.bfloat16)
    assert arithmetic.describe() == "cpu, bf16"
    assert arithmetic.lay_out(torch.zeros(2, 3, 4, 4)).is_contiguous(memory_format=torch.channels_last)
    with arithmetic.autocast():
        assert torch.nn.Linear(4, 4)(torch.zeros(2, 4)).dtype == torch.bfloat16
    with devices.Arithmetic(torch.device("cpu"), torch.float32).autocast():
        assert torch.nn.Linear(4, 4)(torch.zeros(2, 4)).dtype == torch.float32


@pytest.mark.parametrize(("free", "kept"), [(10**9, True), (32 * 40 * 40 * 3, False)])
def test_pixels_stay_on_a_device_only_when_they_leave_half_of_it_free(mats, monkeypatch, free, kept):
    monkeypatch.setattr(devices, "_free_memory", lambda device: free)
    pixels = Pixels(mats[0], torch.arange(32).numpy())
    images = devices.DeviceImages(pixels, torch.device("meta"))  # a device without memory: nothing is computed
    assert (images._resident is not None) == kept
    assert images.batch(torch.tensor([3, 1])).shape == (2, 40, 40, 3)


def test_a_batch_holds_the_images_asked_for(mats):
    images = devices.DeviceImages(Pixels(mats[0], torch.arange(31, -1, -1).numpy()), torch.device("cpu"))
    index = torch.tensor([5, 0, 5])
    assert torch.equal(images.batch(index)[0], images.batch(torch.tensor([5]))[0])
    assert torch.equal(images.batch(index)[0], images.batch(index)[2])
    assert len(images) == 32 and images.side == 40


def test_peak_memory_is_in_mebibytes():
    assert 50 < devices.peak_memory_mb(torch.device("cpu")) < 100_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the operating system has no better number")
def test_peak_memory_is_this_processs_own_and_not_its_parents(project):
    child = "import torch; from florilegium.devices import peak_memory_mb; print(peak_memory_mb(torch.device('cpu')))"
    parent = (
        f"import subprocess, sys; held = b'x' * 2**30; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    environment = os.environ | {"PYTHONPATH": str(project / "scripts")}
    done = subprocess.run([sys.executable, "-c", parent], env=environment, capture_output=True, text=True, check=True)
    assert 50 < float(done.stdout) < 1000


def test_a_prepared_process_computes_fp32_in_all_its_bits_and_can_still_export(project):
    code = (
        "import torch; from florilegium.devices import prepare_process; prepare_process(2); b = torch.backends\n"
        "from florilegium.inference import onnx_engine; onnx_engine(torch.nn.Conv2d(3, 4, 3), 8)\n"
        "print(torch.get_num_threads(), b.cudnn.allow_tf32, b.cuda.matmul.allow_tf32)"
    )
    environment = os.environ | {"PYTHONPATH": str(project / "scripts")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False", "False"]
