"""The training methods by name."""

from ldlva.training.methods.base import Batch, Method, Options, TrainingSet
from ldlva.training.methods.ce import CrossEntropy
from ldlva.training.methods.ldlva import Ldlva

METHODS: dict[str, type[Method]] = {"ce": CrossEntropy, "ldlva": Ldlva}

__all__ = ["METHODS", "Batch", "Method", "Options", "TrainingSet"]
