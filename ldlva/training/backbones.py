"""Feature extractors from torchvision, and the network every method trains: backbone plus linear head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torchvision import models

from ldlva.errors import TrainingError

Stem = Literal["standard", "small"]
"""`standard` is torchvision's. `small` keeps twice the resolution, for faces of 48 to 64 pixels: a ResNet begins with
a 3x3 convolution and no pooling, a MobileNetV2 does not halve the image in its first layer. It costs about twice the
time."""


@dataclass(frozen=True)
class Backbone:
    """How one torchvision network becomes a feature extractor.

    Attributes:
        build: random network taking (channels, stem), its classifier removed, and its feature width.
        split: (everything before the last stage, the last stage up to pooled features `[B, D]`), sharing the network's
            modules; DMUE gives every branch its own last stage.
    """

    build: Callable[[int, Stem], tuple[nn.Module, int]]
    split: Callable[[nn.Module], tuple[nn.Module, nn.Module]]


def _resnet(architecture: Callable[..., models.ResNet]) -> Backbone:
    def build(channels: int, stem: Stem) -> tuple[nn.Module, int]:
        network = architecture(weights=None)
        if stem == "small":
            network.conv1 = nn.Conv2d(channels, 64, kernel_size=3, stride=2, padding=1, bias=False)
            network.maxpool = nn.Identity()
        elif channels != 3:
            network.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        width = network.fc.in_features
        network.fc = nn.Identity()
        return network, width

    def split(network: nn.Module) -> tuple[nn.Module, nn.Module]:
        n = cast(models.ResNet, network)
        trunk = nn.Sequential(n.conv1, n.bn1, n.relu, n.maxpool, n.layer1, n.layer2, n.layer3)
        return trunk, nn.Sequential(n.layer4, n.avgpool, nn.Flatten())

    return Backbone(build, split)


def _mobilenet_v2(width_mult: float = 1.0) -> Backbone:
    def build(channels: int, stem: Stem) -> tuple[nn.Module, int]:
        network = models.mobilenet_v2(weights=None, width_mult=width_mult)
        stride = 1 if stem == "small" else 2
        if channels != 3 or stem == "small":
            width = network.features[0][0].out_channels
            network.features[0][0] = nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
            nn.init.kaiming_normal_(network.features[0][0].weight, mode="fan_out")
        width = network.last_channel
        network.classifier = nn.Identity()
        return network, width

    def split(network: nn.Module) -> tuple[nn.Module, nn.Module]:
        features = cast(models.MobileNetV2, network).features
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return features[:14], nn.Sequential(features[14:], pool)

    return Backbone(build, split)


BACKBONES: dict[str, Backbone] = {
    "mobilenet_v2": _mobilenet_v2(),
    # Half of the channels: 1.4 MB in half precision, so that a model of every method fits into the repository.
    "mobilenet_v2_050": _mobilenet_v2(width_mult=0.5),
    "resnet18": _resnet(models.resnet18),
    "resnet50": _resnet(models.resnet50),
    "resnet101": _resnet(models.resnet101),
}


class FaceNetwork(nn.Module):
    """Backbone and linear classifier: images `[B, channels, S, S]` to logits `[B, C]` and features `[B, D]`.

    Raises:
        TrainingError: unknown backbone.
    """

    def __init__(self, backbone: str, channels: int, num_classes: int, stem: Stem = "standard") -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise TrainingError(f"Unknown backbone {backbone!r}. Choose one of {', '.join(BACKBONES)}.")
        self.backbone_name = backbone
        self.backbone, self.feature_width = BACKBONES[backbone].build(channels, stem)
        self.classifier = nn.Linear(self.feature_width, num_classes)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone(images)
        # Losses compute in float32, whatever precision the network ran in.
        return self.classifier(features).float(), features.float()

    def split(self) -> tuple[nn.Module, nn.Module]:
        """The backbone as (trunk, last stage), sharing this network's modules."""
        return BACKBONES[self.backbone_name].split(self.backbone)
