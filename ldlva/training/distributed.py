"""Training one model in several processes started by `torchrun`: one a GPU, or CPU processes over gloo.

Every process draws the same batches and computes the whole loss, with all that a method keeps per image. Only the
network, which costs nearly all of a step, is shared out: each process passes its part of the batch, batch statistics
are taken over all parts, the outputs are put together, and the network's gradients are added up. The result is that of
one process up to rounding. One process alone writes files.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ldlva.errors import TrainingError


@dataclass(frozen=True)
class Group:
    """The processes that train together. A group of one, the default, communicates with nobody."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def part(self, rows: int) -> slice:
        """This process's part of `rows` rows: contiguous, in the order of the ranks, at most one row unequal.

        Raises:
            TrainingError: fewer rows than processes.
        """
        if rows < self.size:
            raise TrainingError(f"{self.size} processes cannot share {rows} images. Use a larger --batch-size.")
        return slice(self.rank * rows // self.size, (self.rank + 1) * rows // self.size)

    def assemble(self, values: Tensor, first: int, rows: int) -> Tensor:
        """The rows of all processes as one tensor, the same on each.

        Every process is expected to compute the same loss from it: a process's rows then get their gradient without
        communication.

        Args:
            values: `[n, ...]`, this process's rows.
            first: place of its first row.
            rows: of all processes together.

        Returns:
            `[rows, ...]`.
        """
        if self.size == 1:
            return values
        whole: Tensor = _Assemble.apply(values, first, rows)
        return whole

    def add_up_gradients(self, modules: list[nn.Module]) -> None:
        """Replace the gradients of the modules' parameters by their sums over the processes."""
        if self.size == 1:
            return
        gradients = [p.grad for module in modules for p in module.parameters() if p.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        for gradient, total in zip(gradients, torch.split(together, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def agreed(self, value: bool) -> bool:
        """The main process's `value`: what it saw on the disk must not lead processes different ways."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values)
        return values[0]

    def wait(self) -> None:
        """Go on when all processes are here: what the main process wrote before is then there for all."""
        if self.size > 1:
            distributed.barrier()


ALONE = Group()


@contextlib.contextmanager
def joined_group() -> Iterator[Group]:
    """The group that `torchrun` started this process in, left at the end; a group of one without `torchrun`."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def share_forward(network: nn.Module, group: Group) -> None:
    """Let `network`, in training, pass only this process's part of its input `[B, ...]` and return the outputs of all.

    In place; outputs are one tensor or a tuple of tensors, `[B, ...]` each. In evaluation nothing changes.
    """
    if group.size == 1:
        return
    synchronise_norms(network)
    rows = 0

    def take_part(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        nonlocal rows
        if not module.training:
            return None
        rows = len(arguments[0])
        return (arguments[0][group.part(rows)], *arguments[1:])

    def put_together(module: nn.Module, arguments: tuple[Any, ...], outputs: Any) -> Any:
        if not module.training:
            return outputs
        first = group.part(rows).start
        if isinstance(outputs, Tensor):
            return group.assemble(outputs, first, rows)
        return tuple(group.assemble(output, first, rows) for output in outputs)

    network.register_forward_pre_hook(take_part)
    network.register_forward_hook(put_together)


class _Assemble(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, first: int, rows: int) -> Tensor:
        context.part = slice(first, first + len(values))
        whole = values.new_zeros(rows, *values.shape[1:])
        whole[context.part] = values
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[context.part], None, None


class _Sum(torch.autograd.Function):
    """Sum over the processes, whose gradient is the sum of the processes' gradients."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(context, gradient)


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation with the statistics of all processes' rows, however many each has, none included.

    torch's `SyncBatchNorm` is for GPUs only, and refuses a process without rows.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            normalised: Tensor = super().forward(input)
            return normalised
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        axes = [0, *range(2, input.ndim)]
        shape = [1, -1] + [1] * (input.ndim - 2)
        values = input.float()
        number = values.new_full((1,), values.numel() / values.shape[1])
        count, total = _sum_of([number, values.sum(dim=axes)])
        mean = total / count
        # Around the mean, not as a difference of squares, which loses digits where the mean is large.
        centered = values - mean.view(shape)
        (squares,) = _sum_of([centered.square().sum(dim=axes)])
        variance = squares / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(squares / (count - 1), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centered * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes will do."""


def _sum_of(values: list[Tensor]) -> list[Tensor]:
    """Each of the `[n]` tensors summed over the processes, in one message."""
    total: Tensor = _Sum.apply(torch.cat(values))
    return list(torch.split(total, [len(value) for value in values]))


def synchronise_norms(module: nn.Module) -> None:
    """Replace the batch normalisations inside `module` by ones over all processes, in place; names and values stay."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            norm = SharedBatchNorm(child.num_features, child.eps, child.momentum)
            norm.load_state_dict(child.state_dict())
            setattr(module, name, norm.to(child.weight.device).train(child.training))
        else:
            synchronise_norms(child)
