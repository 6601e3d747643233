"""Weights a network starts from: torchvision's, another run's, or a file the researcher has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision import models

from ldlva.errors import TrainingError
from ldlva.training.backbones import FaceNetwork

TORCHVISION = "torchvision"


def is_run(source: str) -> bool:
    """Whether the weights are those of a run of this product (its folder, or a file in it)."""
    path = Path(source).expanduser()
    folder = path if path.is_dir() else path.parent
    return source != TORCHVISION and (folder / "config.json").is_file()


def load_initial_weights(network: FaceNetwork, source: str) -> None:
    """Put weights into `network`.

    Args:
        network: changed in place. Every tensor of its backbone must be in the source with the same shape; the
            classifier is taken over if it is there and fits, else it keeps its random weights. Where the network sees
            grey images and the source colour ones, the first layer's weights are summed over colours: a grey image
            then gives what the same image in three equal channels gave.
        source: `torchvision` (ImageNet weights, downloaded by torchvision), a run folder, or a file: safetensors or a
            PyTorch state dict (also inside a training checkpoint under `state_dict` or `model`).

    Raises:
        TrainingError: nothing readable there, or it is of another architecture.
    """
    weights = _plain_names(_read(network.backbone_name, source))
    wanted = network.backbone.state_dict()
    taken: dict[str, Tensor] = {}
    for name, tensor in wanted.items():
        found = weights.get(f"backbone.{name}", weights.get(name))
        if found is None:
            if name.endswith("num_batches_tracked"):
                continue
            raise TrainingError(f"{source} has no weights for {name} of {network.backbone_name}: another architecture?")
        if found.ndim == 4 and found.shape[1] == 3 and tensor.shape[1] == 1:
            found = found.sum(dim=1, keepdim=True)
        if found.shape != tensor.shape:
            raise TrainingError(
                f"{source} has {name} as {tuple(found.shape)}, {network.backbone_name} needs {tuple(tensor.shape)}. "
                "Check the backbone, the stem and the colour channels."
            )
        taken[name] = found.to(tensor.dtype)
    network.backbone.load_state_dict(taken, strict=False)
    head = {name: weights.get(f"classifier.{name}") for name in ("weight", "bias")}
    own = network.classifier.state_dict()
    if all(tensor is not None and tensor.shape == own[name].shape for name, tensor in head.items()):
        network.classifier.load_state_dict({name: t.float() for name, t in head.items() if t is not None})


def _read(backbone: str, source: str) -> Mapping[str, Any]:
    if source == TORCHVISION:
        if backbone not in models.list_models():
            raise TrainingError(f"torchvision has no weights for {backbone}. Use --init with a file, or leave it out.")
        try:
            weights: Mapping[str, Any] = models.get_model(backbone, weights="DEFAULT").state_dict()
            return weights
        except Exception as error:  # whatever a failed download raises
            raise TrainingError(f"torchvision's weights for {backbone} cannot be downloaded: {error}") from None
    path = Path(source).expanduser()
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        raise TrainingError(f"{path} is missing: no initial weights there.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise TrainingError(f"{path} is damaged: {error}") from None
    except Exception as error:  # torch raises whatever the damaged or unsafe content leads to
        raise TrainingError(
            f"{path} cannot be read as a plain state dict ({type(error).__name__}); files that would run code are not "
            "loaded."
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise TrainingError(f"{path} holds no state dict.")
    return content


def _plain_names(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Names without the `module.` that data-parallel training puts in front."""
    return {name.removeprefix("module."): value for name, value in weights.items() if isinstance(value, Tensor)}
