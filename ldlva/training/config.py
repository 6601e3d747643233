"""Everything that determines a run, validated at the door and stored resolved in the run folder."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ldlva.errors import TrainingError
from ldlva.training.backbones import BACKBONES, Stem
from ldlva.training.methods import METHODS, Options, Sampling


class TrainConfig(BaseModel):
    """One run. Two runs with equal configurations, data and thread count give the same numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(description="data set as NAME:FOLDER")
    filter: str | None = Field(None, description="rule that chooses images and labels; automatic: the data set's first")
    method: str = Field("ce", description="key of METHODS")
    options: dict[str, Any] = Field(default_factory=dict, description="the method's own settings")
    backbone: str = Field("resnet18", description="key of BACKBONES")
    stem: Stem = Field("standard", description="small: twice the resolution for faces of 48 to 64 pixels")
    init: str | None = Field(None, description="initial weights: file, run folder, or torchvision; automatic: random")
    image_size: int = Field(48, ge=32, le=512, description="side of the network's input, pixels")
    epochs: int = Field(15, ge=1, le=1000, description="times that every image is learned from")
    seed: int = Field(0, ge=0, lt=2**31, description="everything random follows from it")
    batch_size: int = Field(64, ge=2, description="images in one step")
    sampling: Sampling | None = Field(None, description="how batches are drawn; automatic: the method's own way")
    learning_rate: float = Field(0.05, gt=0, description="peak of the one-cycle schedule")
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    augmentation: bool = True
    class_weights: bool = Field(False, description="weight the classification loss by inverse class frequency")
    label_noise: float = Field(0.0, ge=0, lt=1, description="share of training labels replaced by another class")
    precision: Literal["float32", "bfloat16"] | None = Field(
        None, description="number format of the network's products; automatic: bfloat16 where it is fast"
    )
    compile: bool = Field(False, description="have torch.compile make code for the network: minutes at the start")
    fast_small_maps: bool = Field(
        False,
        description="small maps by matrix products: a ResNet at 48 pixels trains about twice as fast on a CPU, "
        "with the same numbers up to rounding; nothing changes on a GPU, for MobileNetV2 or for DMUE",
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; automatic: all cores")
    valence_arousal: str | None = Field(
        None, description="CSV name,valence,arousal; automatic: the data set's own, or made from the teachers"
    )
    teacher_posteriors: str | None = Field(
        None,
        description="CSV name and a probability for each emotion, by teachers of another run; automatic: train them",
    )
    teacher_folds: int = Field(3, ge=2, le=20, description="number of teachers, each blind to one part")
    teacher_epochs: int = Field(6, ge=1, description="epochs of each teacher")

    def method_options(self) -> Options:
        """The method's options with its defaults filled in.

        Raises:
            TrainingError: an option the method does not have, or a bad value.
        """
        try:
            return METHODS[self.method].options_type(**self.options)
        except ValidationError as error:
            known = ", ".join(METHODS[self.method].options_type.model_fields) or "none"
            raise TrainingError(f"{_explain(error)} Options of {self.method}: {known}.") from None


def resolve_config(**settings: Any) -> TrainConfig:
    """Build a configuration from given settings, with method options completed.

    Raises:
        TrainingError: unknown method, backbone or option, or a value out of range.
    """
    try:
        config = TrainConfig(**settings)
    except ValidationError as error:
        raise TrainingError(_explain(error)) from None
    for value, table, name in ((config.method, METHODS, "method"), (config.backbone, BACKBONES, "backbone")):
        if value not in table:
            raise TrainingError(f"Unknown {name} {value!r}. Choose one of {', '.join(table)}.")
    sampling = config.sampling or METHODS[config.method].default_sampling
    return config.model_copy(update={"options": config.method_options().model_dump(), "sampling": sampling})


def _explain(error: ValidationError) -> str:
    problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
    return f"Bad setting. {'; '.join(problems)}."
