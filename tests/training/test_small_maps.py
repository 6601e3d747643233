from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from ldlva.training.small_maps import SmallMapConv2d, unchanged_weights, unroll_small_maps


def standard(weight: Tensor, channels_last: bool) -> Tensor:
    return weight.permute(0, 3, 1, 2) if channels_last else weight


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("height", "width", "kernel", "stride", "padding"),
    [
        (2, 2, 3, 1, 1),
        (3, 3, 3, 2, 1),
        (3, 3, 3, 1, 1),
        (1, 1, 3, 1, 1),
        (3, 3, 3, 1, 0),
        (1, 3, 3, 2, 1),
        (6, 6, 3, 2, 1),
    ],
)
def test_it_is_the_convolution_and_so_are_its_gradients(
    height: int, width: int, kernel: int, stride: int, padding: int, channels_last: bool
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 5, kernel, stride, padding, bias=False).double()
    small = nn.Sequential(copy.deepcopy(plain))
    unroll_small_maps(small, channels_last)
    assert isinstance(small[0], SmallMapConv2d)
    images = [torch.randn(3, 4, height, width, dtype=torch.float64).requires_grad_()]
    images.append(images[0].detach().clone().requires_grad_())
    outputs = [plain(images[0]), small(images[1])]
    torch.testing.assert_close(outputs[1], outputs[0])
    upstream = torch.randn_like(outputs[0])
    for output in outputs:
        output.backward(upstream)
    torch.testing.assert_close(images[1].grad, images[0].grad)
    weight = small[0].weight
    assert weight.grad is not None and weight.grad.is_contiguous(memory_format=torch.contiguous_format) >= channels_last
    torch.testing.assert_close(standard(weight.grad, channels_last), plain.weight.grad)


def test_a_changed_weight_is_used_at_once() -> None:
    """torch's fused SGD changes a tensor without counting up its version."""
    layer = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, bias=False))
    unroll_small_maps(layer)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0, momentum=0.9, fused=True)
    images = torch.randn(2, 2, 2, 2)
    for _ in range(3):
        with unchanged_weights():
            layer(images)
            layer(images).square().sum().backward()
        optimizer.step()
        expected = nn.functional.conv2d(images, next(layer.parameters()), padding=1)
        torch.testing.assert_close(layer(images), expected)


def test_in_lower_precision_it_differs_by_rounding_alone() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, bias=False))
    small = copy.deepcopy(plain)
    unroll_small_maps(small)
    images = torch.randn(8, 64, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected, actual = plain(images), small(images)
    assert actual.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(actual, expected, rtol=0.02, atol=0.02)


def test_other_layers_stay_as_they_are() -> None:
    layers = nn.Sequential(
        nn.Conv2d(2, 2, 3, groups=2, bias=False),
        nn.Conv2d(2, 2, 3, dilation=2, bias=False),
        nn.Conv2d(2, 2, 3),
        nn.Conv2d(2, 2, 1, bias=False),
        nn.Conv2d(2, 2, 3, padding=3, bias=False),
        nn.Conv2d(2, 2, 3, padding="same", bias=False),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect", bias=False),
    )
    unroll_small_maps(layers)
    assert not any(isinstance(layer, SmallMapConv2d) for layer in layers)


def test_the_weight_is_shared_and_keeps_its_name_unless_stored_anew() -> None:
    plain = nn.Sequential(nn.Sequential(nn.Conv2d(2, 3, 3, bias=False)))
    weight = next(plain.parameters())
    unroll_small_maps(plain)
    assert [name for name, parameter in plain.named_parameters() if parameter is weight] == ["0.0.weight"]
    anew = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False))
    unroll_small_maps(anew, channels_last=True)
    assert next(anew.parameters()).shape == (3, 3, 3, 2)
