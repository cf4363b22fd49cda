"""What happens to photographs outside: six corruptions at three strengths, on whole batches of pixels.

Lengths are shares of the picture's side, so that networks which see pictures of different sizes see the same damage.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from florilegium.devices import DeviceImages
from florilegium.seeds import derived_seed

NOISE_PHASE = 3  # keeps the noise away from the views of the two training phases


class Corruption(NamedTuple):
    """One kind of damage.

    `apply(planes, value, positions)` takes and returns (n, 3, side, side) uint8; `positions` are those of the images in
    their sample.
    """

    apply: Callable[[Tensor, float, Tensor], Tensor]
    values: tuple[float, float, float]  # from weak to strong
    level: str  # a value in words


def _blur(planes: Tensor, share: float, _positions: Tensor) -> Tensor:
    sigma = share / 100 * planes.shape[-1]
    reach = min(math.ceil(3 * sigma), planes.shape[-1] - 1)
    # torchvision multiplies by the whole square kernel: a row and a column of it do the same in far fewer steps.
    soft = transforms.gaussian_blur(planes.float(), [2 * reach + 1, 1], [sigma, sigma])
    return _whole(transforms.gaussian_blur(soft, [1, 2 * reach + 1], [sigma, sigma]))


def _noise(planes: Tensor, share: float, positions: Tensor) -> Tensor:
    # Drawn by the image and on the CPU: the same on every device, for every network, in batches of any size.
    drawn = torch.stack([torch.randn(planes.shape[1:], generator=_generator(i)) for i in positions.tolist()])
    return _whole(planes + drawn.to(planes.device) * (2.55 * share))


def _generator(position: int) -> torch.Generator:
    return torch.Generator().manual_seed(derived_seed(0, NOISE_PHASE, position))


def _jpeg(planes: Tensor, quality: float, _positions: Tensor) -> Tensor:
    return transforms.jpeg(planes.cpu(), int(quality)).to(planes.device)  # the codec is the processor's


def _darken(planes: Tensor, percent: float, _positions: Tensor) -> Tensor:
    return transforms.adjust_brightness(planes, percent / 100)


def _rotate(planes: Tensor, degrees: float, _positions: Tensor) -> Tensor:
    return transforms.rotate(planes, degrees, interpolation=InterpolationMode.BILINEAR)  # black corners, as in training


def _crop(planes: Tensor, percent: float, _positions: Tensor) -> Tensor:
    side = planes.shape[-1]
    kept = max(1, round(side * percent / 100))
    first = (side - kept) // 2
    return _whole(transforms.resized_crop(planes.float(), first, first, kept, kept, [side, side], antialias=True))


def _whole(planes: Tensor) -> Tensor:
    return planes.round().clamp(0, 255).to(torch.uint8)


CORRUPTIONS = {
    "blur": Corruption(_blur, (0.5, 1, 2), "σ = {:g} % of the side"),
    "noise": Corruption(_noise, (5, 10, 20), "σ = {:g} % of white"),
    "jpeg": Corruption(_jpeg, (30, 15, 5), "quality {:g}"),
    "brightness": Corruption(_darken, (70, 50, 30), "{:g} % of the light"),
    "rotation": Corruption(_rotate, (15, 30, 60), "{:g}°"),
    "crop": Corruption(_crop, (80, 60, 40), "middle {:g} % of each side"),
}


def corrupt(images: Tensor, name: str, strength: int, positions: Tensor) -> Tensor:
    """Damaged copies.

    Args:
        images: (n, side, side, 3) uint8.
        name: a key of CORRUPTIONS.
        strength: 1, 2 or 3.
        positions: (n,) of the images in their sample; the noise of an image depends on its position alone.

    Returns:
        The same shape, type and device.
    """
    apply, values, _ = CORRUPTIONS[name]
    return apply(images.permute(0, 3, 1, 2), values[strength - 1], positions).permute(0, 2, 3, 1)


class CorruptedImages:
    """A split whose batches come damaged; for the rest as `DeviceImages`."""

    def __init__(self, images: DeviceImages, name: str, strength: int):
        """`name` and `strength` as for `corrupt`."""
        self._images, self._name, self._strength = images, name, strength
        self.device = images.device

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, index: Tensor) -> Tensor:
        """Images of the positions `index` as (n, side, side, 3) uint8 on the device."""
        return corrupt(self._images.batch(index), self._name, self._strength, index)
