from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from ldlva.errors import TrainingError
from ldlva.training.backbones import FaceNetwork
from ldlva.training.initial_weights import load_initial_weights


def network(channels: int = 3, backbone: str = "mobilenet_v2") -> FaceNetwork:
    return FaceNetwork(backbone, channels, 7).eval()


def save(module: nn.Module, path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, path)


def test_a_state_dict_of_torchvision_with_a_data_parallel_prefix(tmp_path: Path) -> None:
    source = models.mobilenet_v2(weights=None).eval()
    content = {"state_dict": {f"module.{name}": tensor for name, tensor in source.state_dict().items()}}
    torch.save(content, tmp_path / "checkpoint.pth")
    target = network()
    load_initial_weights(target, str(tmp_path / "checkpoint.pth"))
    images = torch.randn(2, 3, 48, 48)
    with torch.inference_mode():
        expected = source.features(images).mean(dim=(2, 3))
        torch.testing.assert_close(target(images)[1], expected, rtol=1e-4, atol=1e-5)


def test_a_run_folder_with_its_classifier(tmp_path: Path) -> None:
    source = network()
    save(source, tmp_path / "model.safetensors")
    target = network()
    load_initial_weights(target, str(tmp_path))
    images = torch.randn(2, 3, 48, 48)
    with torch.inference_mode():
        torch.testing.assert_close(target(images)[0], source(images)[0])


def test_a_grey_image_gives_what_three_equal_channels_gave(tmp_path: Path) -> None:
    source, target = network(3), network(1)
    save(source, tmp_path / "model.safetensors")
    load_initial_weights(target, str(tmp_path / "model.safetensors"))
    images = torch.randn(2, 1, 48, 48)
    with torch.inference_mode():
        torch.testing.assert_close(target(images)[1], source(images.expand(-1, 3, -1, -1))[1], rtol=1e-4, atol=1e-5)


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("code ran",))


def test_what_cannot_be_used_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match="no initial weights there"):
        load_initial_weights(network(), str(tmp_path / "nothing.pth"))
    (tmp_path / "damaged.safetensors").write_bytes(b"not weights")
    with pytest.raises(TrainingError, match="damaged"):
        load_initial_weights(network(), str(tmp_path / "damaged.safetensors"))
    (tmp_path / "harmful.pth").write_bytes(pickle.dumps({"weight": Harmful()}, protocol=2))
    with pytest.raises(TrainingError, match="would run code are not loaded"):
        load_initial_weights(network(), str(tmp_path / "harmful.pth"))
    assert "code ran" not in capsys.readouterr().out
    save(models.resnet18(weights=None), tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match="another architecture"):
        load_initial_weights(network(), str(tmp_path / "other.safetensors"))
    save(network(1), tmp_path / "grey.safetensors")
    with pytest.raises(TrainingError, match="colour channels"):
        load_initial_weights(network(3), str(tmp_path / "grey.safetensors"))


def test_a_width_that_torchvision_has_no_weights_for_is_refused() -> None:
    with pytest.raises(TrainingError, match="no weights for mobilenet_v2_050"):
        load_initial_weights(network(backbone="mobilenet_v2_050"), "torchvision")
