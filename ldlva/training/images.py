"""uint8 images to network input, and augmentation on whole batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ldlva.datasets.images import ImageArray

PAD = 4
ERASE_PROBABILITY = 0.5
ERASE_AREA = (0.02, 0.3)
ERASE_ASPECT = (0.3, 3.3)


def to_input(images: ImageArray | Tensor) -> Tensor:
    """uint8 `[B, S, S]` or `[B, S, S, 3]` to float32 `[B, channels, S, S]`, roughly in [-2, 2]."""
    if not isinstance(images, Tensor):
        # A read-only array, such as a piece of a memory map, is copied: torch warns of tensors it may not write to.
        images = torch.from_numpy(np.require(images, requirements=["C", "W"]))
    batch = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return ((batch.float() / 255.0 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)


def augment(batch: Tensor) -> Tensor:
    """Flip, shift by up to 4 pixels, and random erasing (p .5, area .02-.3), independently per image.

    Args:
        batch: float `[B, channels, S, S]`.
    """
    return random_erase(random_shift(random_flip(batch)))


def random_flip(batch: Tensor) -> Tensor:
    flip = torch.rand(len(batch), device=batch.device) < 0.5
    return torch.where(flip[:, None, None, None], batch.flip(-1), batch)


def random_shift(batch: Tensor, pad: int = PAD) -> Tensor:
    """Pad by reflection and crop back at a random offset."""
    size, n = batch.shape[-1], len(batch)
    padded = functional.pad(batch, (pad, pad, pad, pad), mode="reflect").permute(0, 2, 3, 1)
    offsets = torch.randint(0, 2 * pad + 1, (2, n, 1), device=batch.device)
    span = torch.arange(size, device=batch.device)
    rows, columns = offsets[0] + span, offsets[1] + span
    sample = torch.arange(n, device=batch.device)[:, None, None]
    return padded[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_erase(batch: Tensor) -> Tensor:
    """Replace one random rectangle by noise in about half of the images (Zhong et al. 2020)."""
    n, size = len(batch), batch.shape[-1]
    uniform = torch.rand(5, n, device=batch.device)
    area = (ERASE_AREA[0] + uniform[0] * (ERASE_AREA[1] - ERASE_AREA[0])) * size * size
    low, high = np.log(ERASE_ASPECT)
    aspect = torch.exp(low + uniform[1] * (high - low))
    height = (area * aspect).sqrt().clamp(max=size)
    width = (area / aspect).sqrt().clamp(max=size)
    top, left = uniform[2] * (size - height), uniform[3] * (size - width)
    span = torch.arange(size, device=batch.device)
    rows = (span >= top[:, None]) & (span < (top + height)[:, None])
    columns = (span >= left[:, None]) & (span < (left + width)[:, None])
    erased = rows[:, :, None] & columns[:, None, :] & (uniform[4] < ERASE_PROBABILITY)[:, None, None]
    return torch.where(erased.unsqueeze(1), torch.randn_like(batch), batch)
