"""Convolutions on maps no larger than their kernel, as matrix products without the padding.

At 48 pixels the last stage of a ResNet works on 3x3 and 2x2 maps. There a 3x3 kernel with padding 1 spends five of nine
taps on zeros, and the CPU's convolution routines are far from what the processor can do. Every output position is then
better computed as the dense layer it is: the inputs that lie under the kernel, times the part of the kernel that lies
on the map. The numbers are those of the convolution up to rounding. DMUE trains one last stage per class, and spends
most of its time there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor, nn


class SmallMapConv2d(nn.Conv2d):
    """A convolution that is computed by matrix products where its input map has no more pixels than its kernel.

    Only on the CPU; on other devices, and on larger maps, it is the ordinary convolution.

    Attributes:
        channels_last: the weight is stored as `[out, height, width, in]`. torch's fused SGD copies the gradient of a
            weight in channels_last memory format once more than it needs to; stored like this, it does not.
    """

    channels_last: bool

    @classmethod
    def of(cls, layer: nn.Conv2d, channels_last: bool) -> SmallMapConv2d:
        """The same layer; it shares the weight unless that is stored anew, `channels_last`."""
        small = cls(layer.in_channels, layer.out_channels, 1, bias=False, device="meta")
        small.__dict__.update(layer.__dict__)
        small.channels_last = channels_last
        if channels_last:
            small._parameters = {
                "weight": nn.Parameter(layer.weight.detach().permute(0, 2, 3, 1).contiguous()),
                "bias": None,
            }
        return small

    def forward(self, input: Tensor) -> Tensor:
        kernel = self.weight if self.channels_last else self.weight.permute(0, 2, 3, 1)
        height, width = input.shape[2:]
        if input.device.type != "cpu" or height * width > self.kernel_size[0] * self.kernel_size[1]:
            convolved: Tensor = self._conv_forward(input, kernel.permute(0, 3, 1, 2), None)
            return convolved
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        plan = _plan((height, width), self.kernel_size, self.stride, cast(tuple[int, int], self.padding))
        output: Tensor = _DenseConvolution.apply(input.to(dtype), kernel, self._cast(kernel, dtype), plan)
        return output

    def _cast(self, kernel: Tensor, dtype: torch.dtype) -> Tensor:
        """`kernel` in the precision of the products, without gradient."""
        cast_kernels = _cast_kernels.get()
        if cast_kernels is None:
            return kernel.detach().to(dtype)
        if (id(self), dtype) not in cast_kernels:
            cast_kernels[id(self), dtype] = kernel.detach().to(dtype)
        return cast_kernels[id(self), dtype]


_cast_kernels: ContextVar[dict[tuple[int, torch.dtype], Tensor] | None] = ContextVar("_cast_kernels", default=None)


@contextmanager
def unchanged_weights() -> Iterator[None]:
    """Within, no weight changes: a layer that is used twice casts its weight to lower precision once.

    There is no way to notice a change: torch's fused SGD does not count up a tensor's version.
    """
    token = _cast_kernels.set({})
    try:
        yield
    finally:
        _cast_kernels.reset(token)


def _can_be_unrolled(layer: nn.Conv2d) -> bool:
    return (
        max(layer.kernel_size) > 1
        and layer.groups == 1
        and layer.dilation == (1, 1)
        and layer.bias is None
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and all(padding < kernel for padding, kernel in zip(layer.padding, layer.kernel_size, strict=True))
    )


def unroll_small_maps(module: nn.Module, channels_last: bool = False) -> None:
    """Replace the convolutions inside `module` that may meet small maps, in place.

    Args:
        module: its parameters and their names stay.
        channels_last: store the weights anew as `[out, height, width, in]`: faster to train, but no longer the
            network's own format.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            if _can_be_unrolled(child):
                setattr(module, name, SmallMapConv2d.of(child, channels_last))
        else:
            unroll_small_maps(child, channels_last)


_Place = tuple[int, int]


@dataclass(frozen=True)
class _Window:
    """One output position.

    Attributes:
        place: (row, column) of the output.
        rows: (row of the map, row of the kernel) pairs that meet.
        columns: of the map under the kernel.
        tap_columns: of the kernel on the map.
    """

    place: _Place
    rows: tuple[_Place, ...]
    columns: slice
    tap_columns: slice


@dataclass(frozen=True)
class _Plan:
    """How a convolution falls apart on one size of map.

    Attributes:
        height, width: of the output.
        windows: one per output position.
        uses: for every tap of the kernel, the (output position, input position) pairs that it connects.
    """

    height: int
    width: int
    windows: tuple[_Window, ...]
    uses: dict[_Place, list[tuple[_Place, _Place]]]


@lru_cache
def _plan(size: _Place, kernel: _Place, stride: _Place, padding: _Place) -> _Plan:
    vertical, horizontal = (_axis_windows(size[i], kernel[i], stride[i], padding[i]) for i in range(2))
    windows = tuple(
        _Window(
            place=(r, c),
            rows=tuple(zip(range(size[0])[rows], range(kernel[0])[tap_rows], strict=True)),
            columns=columns,
            tap_columns=tap_columns,
        )
        for r, (rows, tap_rows) in enumerate(vertical)
        for c, (columns, tap_columns) in enumerate(horizontal)
    )
    uses: dict[_Place, list[tuple[_Place, _Place]]] = {}
    for window in windows:
        columns = zip(range(size[1])[window.columns], range(kernel[1])[window.tap_columns], strict=True)
        for (i, y), (j, x) in itertools.product(window.rows, columns):
            uses.setdefault((y, x), []).append((window.place, (i, j)))
    return _Plan(len(vertical), len(horizontal), windows, uses)


def _axis_windows(size: int, kernel: int, stride: int, padding: int) -> list[tuple[slice, slice]]:
    """Along one axis, for every output position: (inputs under the kernel, taps on the map)."""
    windows = []
    for start in range(-padding, size + padding - kernel + 1, stride):
        first, last = max(0, -start), min(kernel, size - start)
        windows.append((slice(start + first, start + last), slice(first, last)))
    return windows


class _DenseConvolution(torch.autograd.Function):
    """Inside, positions come before channels: the memory order of channels_last.

    Then the inputs under one row of the kernel, and the taps of that row, are matrices where they lie: nothing is
    copied.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, kernel: Tensor, cast_kernel: Tensor, plan: _Plan) -> Tensor:
        image = input.permute(0, 2, 3, 1).contiguous()
        output = image.new_empty(len(image), plan.height, plan.width, len(kernel))
        for window in plan.windows:
            total = output[:, window.place[0], window.place[1]]
            for first, (i, y) in enumerate(window.rows):
                part, taps = image[:, i, window.columns].flatten(1), cast_kernel[:, y, window.tap_columns].flatten(1)
                total.addmm_(part, taps.T, beta=min(first, 1))
        ctx.save_for_backward(image, kernel, cast_kernel)
        ctx.plan = plan
        return output.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        image, kernel, cast_kernel = ctx.saved_tensors
        plan: _Plan = ctx.plan
        grad = grad.permute(0, 2, 3, 1).contiguous()
        at_output = {window.place: grad[:, window.place[0], window.place[1]] for window in plan.windows}
        grad_input = grad_kernel = None
        if ctx.needs_input_grad[0]:
            grad_image = torch.zeros_like(image)
            for window in plan.windows:
                for i, y in window.rows:
                    part = grad_image[:, i, window.columns].view(len(image), -1)
                    part.addmm_(at_output[window.place], cast_kernel[:, y, window.tap_columns].flatten(1))
            grad_input = grad_image.permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            every_tap = len(plan.uses) == kernel.shape[1] * kernel.shape[2]
            grad_kernel = torch.empty_like(kernel) if every_tap else torch.zeros_like(kernel)
            for (y, x), pairs in plan.uses.items():
                outputs = _joined([at_output[place] for place, _ in pairs])
                inputs = _joined([image[:, i, j] for _, (i, j) in pairs])
                if inputs.dtype == kernel.dtype:
                    grad_kernel[:, y, x].addmm_(outputs.T, inputs, beta=0)  # straight to its place, without a copy
                else:
                    grad_kernel[:, y, x] = outputs.T @ inputs
        return grad_input, grad_kernel, None, None


def _joined(rows: list[Tensor]) -> Tensor:
    return rows[0] if len(rows) == 1 else torch.cat(rows)
