"""Where and how a network computes: device, number format and memory layout, chosen in one place."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import os
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from florilegium.errors import UserError
from florilegium.leases import lease_gpu
from florilegium.memory import peak_mb
from florilegium.pixels import Pixels

log = logging.getLogger(__name__)

RESIDENT_SHARE = 0.5  # of the free device memory that pixels may take; the rest is for the network
# A CPU may have bf16 instructions that run at half the speed of its fp32 ones: `auto` asks for this gain in a matrix
# product before it gives up the digits. The two kinds of processor seen lie at 0.5 and 2, far from the threshold.
WORTHWHILE_GAIN = 1.2
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare_process(threads: int) -> None:
    """Let torch compute with `threads` threads, in fp32 with all its bits, and keep memory it frees for the next batch.

    By default glibc maps every large tensor anew and hands it back at once; the page faults of that took up to
    half of the time of a training step (`make benchmark`, section allocator).
    """
    torch.set_num_threads(max(1, threads))
    torch.backends.cudnn.allow_tf32 = False  # its convolutions would round fp32 to TF32, with 10 bits of the 23
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@dataclass(frozen=True)
class Arithmetic:
    """Device and number format of one job."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> contextlib.AbstractContextManager:
        """Mixed precision for training: master weights stay fp32."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device, in channels-last memory, the layout of the fastest convolutions everywhere."""
        return network.to(self.device, memory_format=torch.channels_last)

    def lay_out(self, views: Tensor) -> Tensor:
        """Views (n, 3, height, width) in the memory layout of the network."""
        return views.contiguous(memory_format=torch.channels_last)

    def describe(self) -> str:
        """Device and format in words, for logs and result files."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        return f"{name}, {next(key for key, value in FORMATS.items() if value == self.dtype)}"


def choose_device() -> torch.device:
    """CUDA, then Apple MPS, then the CPU; the environment variable FLORILEGIUM_DEVICE overrides.

    Of several GPUs this job takes one that no other job has, and waits when all are taken.

    Raises:
        UserError: the variable names a device that is not there.
    """
    wanted = os.environ.get("FLORILEGIUM_DEVICE", "")
    if wanted in ("", "cuda") and torch.backends.cuda.is_built():
        lease_gpu()
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted and not there.get(wanted, False):
        raise UserError(
            f"FLORILEGIUM_DEVICE: '{wanted}' is not here; expected one of {', '.join(k for k, v in there.items() if v)}"
        )
    return torch.device(wanted or next(name for name, present in there.items() if present))


def choose_arithmetic(precision: str, device: torch.device | None = None) -> Arithmetic:
    """Resolve the recipe's `precision` for a device.

    `auto` is bf16 where the hardware computes in it, fp16 on older CUDA devices, else fp32.

    Raises:
        UserError: fp16 on a CPU, which would train slower and worse than fp32.
    """
    device = device or choose_device()
    if precision == "auto":
        precision = _best_format(device)
    if precision == "fp16" and device.type == "cpu":
        raise UserError("precision: fp16 on a CPU; expected auto, fp32 or bf16 there")
    return Arithmetic(device, FORMATS[precision])


def _best_format(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if device.type == "cpu" and bf16_gain() > WORTHWHILE_GAIN else "fp32"


@functools.cache
def bf16_gain() -> float:
    """How many times faster than fp32 this CPU multiplies bf16 matrices; 0 without the instructions. Takes 0.1 s."""
    capabilities = torch.cpu.get_capabilities()
    if not any(capabilities.get(key, False) for key in ("avx512_bf16", "amx_bf16", "bf16")):
        return 0.0
    seconds = _product_seconds((torch.float32, torch.bfloat16))
    return seconds[torch.float32] / seconds[torch.bfloat16]


def _product_seconds(
    formats: tuple[torch.dtype, ...], side: int = 512, repetitions: int = 9
) -> dict[torch.dtype, float]:
    """Shortest of several products of square matrices, which noise can only lengthen, by format.

    On one thread and in turns: two threads would wait for the one that another job has pushed off its core.
    """
    matrices, found = (
        {dtype: torch.ones(side, side, dtype=dtype) for dtype in formats},
        {dtype: [] for dtype in formats},
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for dtype in formats * repetitions:
            start = time.perf_counter()
            matrices[dtype] @ matrices[dtype]
            found[dtype].append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return {dtype: min(times) for dtype, times in found.items()}


class DeviceImages:
    """A split's pixels served in batches on a device: kept there when they fit, streamed otherwise."""

    def __init__(self, pixels: Pixels, device: torch.device):
        """Copy all of `pixels` to a CUDA or MPS device when they take at most RESIDENT_SHARE of its free memory."""
        self._pixels, self.device = pixels, device
        self._resident: Tensor | None = None
        if device.type != "cpu" and len(pixels) * pixels.side**2 * 3 <= RESIDENT_SHARE * _free_memory(device):
            self._resident = torch.from_numpy(pixels[np.arange(len(pixels))]).to(device)

    def __len__(self) -> int:
        return len(self._pixels)

    def batch(self, index: Tensor) -> Tensor:
        """Images of the positions `index` (int64, on the CPU) as (n, side, side, 3) uint8 on the device."""
        if self._resident is not None:
            return self._resident[index.to(self.device, non_blocking=True)]
        images = torch.from_numpy(self._pixels[index.numpy()])  # a fresh copy, so writable
        if self.device.type == "cuda":
            images = images.pin_memory()
        return images.to(self.device, non_blocking=True)

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return self._pixels.side


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()


def peak_memory_mb(device: torch.device) -> float:
    """Most memory held at once so far, in MiB: of the device on CUDA, of this process elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_mb()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on any device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text)
