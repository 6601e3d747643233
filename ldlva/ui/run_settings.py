"""Settings of runs as the Training page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ldlva.run_folder import RunSummary

FOR_TEACHERS = ("teacher_posteriors", "teacher_folds", "teacher_epochs")
FOR_COORDINATES = ("valence_arousal", *FOR_TEACHERS)
"""Settings that only methods with valence and arousal read."""


def title(name: str) -> str:
    """A setting's name as a label."""
    return name.replace("_", " ").capitalize()


def differences(chosen: Sequence[RunSummary]) -> dict[str, list[Any]]:
    """Settings in which runs differ, each with its value in every run; None where a run does not use it."""
    settings_of = [used_settings(run) for run in chosen]
    names = dict.fromkeys(name for config in settings_of for name in config)
    values = {name: [config.get(name) for config in settings_of] for name in names}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}


def used_settings(run: RunSummary) -> dict[str, Any]:
    """A run's settings, the method's own beside the others, without those that its method does not look at.

    The run itself says which these are: where it took neither coordinates nor posteriors from anywhere, it had none.
    """
    coordinates = run.record.get("valence_arousal_source", "unknown") is not None
    posteriors = run.record.get("posteriors_source", "unknown") is not None
    unused = {"options"}
    if not coordinates:
        unused |= set(FOR_COORDINATES) - set(FOR_TEACHERS if posteriors else ())
    return {name: value for name, value in run.config.items() if name not in unused} | dict(
        run.config.get("options") or {}
    )
