"""Onnxruntime on the CPU, with the options that every step and measurement here uses; no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx
    import onnxruntime


def cpu_session(
    model: onnx.ModelProto | str | os.PathLike, threads: int, hoard: bool = True
) -> onnxruntime.InferenceSession:
    """A session for a model or its path.

    Args:
        model: the model or its path.
        threads: that it computes with.
        hoard: keep the memory of one batch for the next; without it large batches are slower, and leave nothing behind.
    """
    import onnxruntime  # only here: a job that computes with torch does without its memory

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = options.enable_mem_pattern = hoard
    # Idle threads that spin would take the cores from the augmentation between two batches: 10 % slower.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = os.fspath(model) if isinstance(model, (str, os.PathLike)) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def multiplies_bytes() -> bool:
    """Whether this processor adds up products of bytes in 32 bits: ARM's do, x86 only with VNNI.

    Without it two products are added in 16 bits first and may overflow, so weights get 7 bits.
    """
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    return "flags" not in text or any(flag in text for flag in ("avx512_vnni", "avx_vnni"))
