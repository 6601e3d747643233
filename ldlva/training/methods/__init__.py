"""The training methods by name."""

from ldlva.training.methods.base import Batch, Method, Options, Sampling, TrainingSet
from ldlva.training.methods.ce import CrossEntropy
from ldlva.training.methods.center import Center
from ldlva.training.methods.dmue import Dmue
from ldlva.training.methods.label_smoothing import LabelSmoothing
from ldlva.training.methods.ldlva import Ldlva
from ldlva.training.methods.ldlva_plus import LdlvaPlus
from ldlva.training.methods.soft import SoftLabels
from ldlva.training.methods.total import Total

METHODS: dict[str, type[Method]] = {
    "ce": CrossEntropy,
    "label_smoothing": LabelSmoothing,
    "soft": SoftLabels,
    "center": Center,
    "total": Total,
    "dmue": Dmue,
    "ldlva": Ldlva,
    "ldlva_plus": LdlvaPlus,
}

__all__ = ["METHODS", "Batch", "Method", "Options", "Sampling", "TrainingSet"]
