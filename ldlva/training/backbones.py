"""Feature extractors from torchvision, and the network every method trains: backbone plus linear head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision import models

from ldlva.errors import TrainingError


def _resnet(build: Callable[..., models.ResNet]) -> Callable[[int], tuple[nn.Module, int]]:
    def make(channels: int) -> tuple[nn.Module, int]:
        network = build(weights=None)
        if channels != 3:
            network.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        width = network.fc.in_features
        network.fc = nn.Identity()
        return network, width

    return make


def _mobilenet_v2(channels: int) -> tuple[nn.Module, int]:
    network = models.mobilenet_v2(weights=None)
    if channels != 3:
        stem = nn.Conv2d(channels, 32, kernel_size=3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out")
        network.features[0][0] = stem
    width = network.last_channel
    network.classifier = nn.Identity()
    return network, width


BACKBONES: dict[str, Callable[[int], tuple[nn.Module, int]]] = {
    "mobilenet_v2": _mobilenet_v2,
    "resnet18": _resnet(models.resnet18),
    "resnet50": _resnet(models.resnet50),
    "resnet101": _resnet(models.resnet101),
}
"""Name -> builder taking the number of input channels and returning (module, feature width)."""


class FaceNetwork(nn.Module):
    """Backbone and linear classifier: images `[B, channels, S, S]` to logits `[B, C]` and features `[B, D]`."""

    def __init__(self, backbone: str, channels: int, num_classes: int) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise TrainingError(f"Unknown backbone {backbone!r}. Choose one of {', '.join(BACKBONES)}.")
        self.backbone, self.feature_width = BACKBONES[backbone](channels)
        self.classifier = nn.Linear(self.feature_width, num_classes)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone(images)
        # Losses compute in float32, whatever precision the network ran in.
        return self.classifier(features).float(), features.float()
