"""Random numbers that depend on the run's seed, the phase and the epoch, and on nothing that ran before.

A training that resumes at epoch e therefore draws exactly what an undisturbed one draws there.
"""

from __future__ import annotations

import numpy as np
import torch


def derived_seed(seed: int, phase: int, epoch: int, purpose: int = 0) -> int:
    """A 63-bit seed, far from those of neighbouring runs, phases, epochs and purposes."""
    state = np.random.SeedSequence([seed, phase, epoch, purpose]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def generator(seed: int, phase: int, epoch: int) -> torch.Generator:
    """A CPU generator for the views of one epoch."""
    return torch.Generator().manual_seed(derived_seed(seed, phase, epoch))


def epoch_order(count: int, seed: int, phase: int, epoch: int) -> torch.Tensor:
    """The order of `count` training images in one epoch; also seeds torch's own generators (dropout)."""
    torch.manual_seed(derived_seed(seed, phase, epoch, purpose=2))
    return torch.randperm(count, generator=torch.Generator().manual_seed(derived_seed(seed, phase, epoch, purpose=1)))
