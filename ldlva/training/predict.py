"""A finished run applied to images."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError

from ldlva.datasets.base import FaceDataset
from ldlva.datasets.images import ImageArray, fit_image, resize_array
from ldlva.distributions import FloatArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, TrainingError
from ldlva.training.backbones import FaceNetwork
from ldlva.training.config import TrainConfig
from ldlva.training.runs import Run
from ldlva.training.trainer import Compute, network_outputs

BATCH = 64
"""Files read and predicted at a time."""


@dataclass(frozen=True)
class Predictions:
    """Softmax outputs `[N, C]` (float64, columns `EMOTION_NAMES`) and penultimate features `[N, D]` (float32)."""

    probabilities: FloatArray
    features: npt.NDArray[np.float32]


class Predictor:
    """A run's network, ready to predict. Inference is the plain softmax for every method.

    Raises:
        TrainingError: no finished run there, or its weights do not fit its configuration.
    """

    def __init__(self, run: Run) -> None:
        record = run.record()
        self.name = run.name
        self.config: TrainConfig = run.config()
        self.record = record
        weights = run.load_weights()
        try:
            self.channels = int(record["data"]["channels"])
            self._network = FaceNetwork(self.config.backbone, self.channels, len(EMOTION_NAMES), self.config.stem)
            self._network.load_state_dict(weights)
        except (KeyError, RuntimeError) as error:
            raise TrainingError(f"The weights in {run.folder} do not fit its record: {error}") from None
        digest = hashlib.sha256()
        for name in sorted(weights):
            digest.update(name.encode())
            digest.update(weights[name].contiguous().numpy().tobytes())
        self.weights_sha256 = digest.hexdigest()
        # float32 whatever the training precision: the numbers then do not depend on the machine that predicts.
        self._compute = Compute(Compute.from_config(self.config).device, bfloat16=False)
        self._network.to(self._compute.device)

    def predict_dataset(self, dataset: FaceDataset) -> Predictions:
        """Predict a data set's images.

        Raises:
            DatasetError: its images are grey and the network wants colour, or the other way round.
        """
        if dataset.channels != self.channels:
            raise DatasetError(
                f"{self.name} was trained on images with {self.channels} channel(s), "
                f"{dataset.source} has {dataset.channels}."
            )
        return self._predict(resize_array(dataset.images, self.config.image_size))

    def predict_files(
        self, files: Sequence[tuple[str, bytes]], report: Callable[[int, int], None] | None = None
    ) -> Predictions:
        """Predict encoded images of any size, given as (name, content); cropped to a centre square and resized.

        Args:
            files: N files.
            report: called after every batch with how many of how many are predicted.

        Raises:
            DatasetError: a file is not a readable image.
        """
        parts = []
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            parts.append(self._predict(np.stack([self._read(name, content) for name, content in batch])))
            if report is not None:
                report(start + len(batch), len(files))
        return _joined(parts)

    def predict_images(self, images: ImageArray, report: Callable[[int, int], None] | None = None) -> Predictions:
        """Predict decoded images `[N, H, W]` or `[N, H, W, 3]`; brought to the network's channels and size.

        Args:
            images: N >= 1 images.
            report: called after every batch with how many of how many are predicted.
        """
        parts = []
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            fitting = [fit_image(Image.fromarray(one), self.channels, self.config.image_size) for one in batch]
            parts.append(self._predict(np.stack(fitting)))
            if report is not None:
                report(start + len(batch), len(images))
        return _joined(parts)

    def _read(self, name: str, content: bytes) -> ImageArray:
        try:
            with Image.open(io.BytesIO(content)) as image:
                return fit_image(image, self.channels, self.config.image_size)
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise DatasetError(f"{name} cannot be read as an image: {error}") from None

    def _predict(self, images: ImageArray) -> Predictions:
        logits, features = network_outputs(self._network, images, self._compute)
        return Predictions(torch.softmax(logits.double(), dim=1).numpy(), features.numpy())


def _joined(parts: Sequence[Predictions]) -> Predictions:
    return Predictions(
        np.concatenate([part.probabilities for part in parts]), np.concatenate([part.features for part in parts])
    )
