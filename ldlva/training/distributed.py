"""Training one model in several processes started by `torchrun`: one a GPU, or CPU processes over gloo.

Every process walks through the same random batches and takes its own slice of each, batch statistics and gradients are
averaged over all slices, and what a method stores per sample is gathered: the result is that of one process, up to
rounding. Only the main process writes files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ldlva.errors import TrainingError
from ldlva.training.losses.adaptive_similarity import BiasedBatchNorm


@dataclass(frozen=True)
class Group:
    """The processes that train together; a single process is a group of one, for which everything here does nothing."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls) -> Group:
        """The group that `torchrun` started this process in, joined once."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def device(self) -> torch.device:
        """The GPU of this process, or the CPU."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))

    def part(self, batch_size: int) -> slice:
        """This process's share of a batch.

        Raises:
            TrainingError: the batch cannot be shared equally.
        """
        if batch_size % self.size:
            raise TrainingError(f"A batch of {batch_size} cannot be shared equally by {self.size} processes.")
        share = batch_size // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def gather(self, tensor: Tensor) -> Tensor:
        """The slices of all processes joined along the first axis, in the order of the batch."""
        if self.size == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        distributed.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def mean(self, value: float, device: torch.device) -> float:
        """Mean of a number over the processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total) / self.size

    def wait(self) -> None:
        """Go on when all processes are here: what the main process wrote is then there for all."""
        if self.size > 1:
            distributed.barrier()


class _Sum(torch.autograd.Function):
    """Sum over the processes whose gradient is the sum of the processes' gradients."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(context, gradient)


def _summed(tensor: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(tensor)
    return total


class GlooBatchNorm(_BatchNorm):
    """Batch normalisation with statistics over all processes' slices (equal in size), for processes on CPUs.

    torch's own SyncBatchNorm is for GPUs only.
    """

    keeps_biased_variance = False

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            normalised: Tensor = super().forward(images)
            return normalised
        axes = [0, *range(2, images.ndim)]
        values = images.float()
        moments = torch.stack([values.mean(dim=axes), values.square().mean(dim=axes)])
        mean, square = _summed(moments) / distributed.get_world_size()
        variance = square - mean.square()
        if self.running_mean is not None and self.running_var is not None:
            count = images.numel() // images.shape[1] * distributed.get_world_size()
            stored = variance if self.keeps_biased_variance else variance * count / (count - 1)
            assert self.momentum is not None and self.num_batches_tracked is not None
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(stored, self.momentum)
                self.num_batches_tracked.add_(1)
        shape = [1, -1] + [1] * (images.ndim - 2)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normalised = (values - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)
        return normalised.to(images.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes will do."""


def synchronise_norms(module: nn.Module, device: torch.device) -> nn.Module:
    """Replace every batch normalisation in `module` by one over all processes, with its weights and statistics."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call, no-any-return]
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            norm = GlooBatchNorm(child.num_features, child.eps, child.momentum)
            norm.load_state_dict(child.state_dict())
            norm.keeps_biased_variance = isinstance(child, BiasedBatchNorm)
            setattr(module, name, norm)
        else:
            synchronise_norms(child, device)
    return module
