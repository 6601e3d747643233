"""The plan of the built-in faces: pure numbers, no renderer needed."""

from __future__ import annotations

import csv
from collections.abc import Callable

import numpy as np
import pytest

from ldlva.datasets.faces import FOLDER
from ldlva.emotions import EMOTION_NAMES
from tools.render_faces import plan
from tools.render_faces.emotions import EMOTIONS


def test_the_tool_and_the_product_agree_on_the_order_of_emotions() -> None:
    assert tuple(EMOTIONS) == EMOTION_NAMES


@pytest.mark.parametrize("make", [plan.survey, plan.training])
def test_a_plan_is_a_function_of_its_seed(make: Callable[[], plan.Plan]) -> None:
    assert make() == make()


def test_people_are_in_one_split_only_and_survey_people_in_none() -> None:
    training, survey = plan.training(), plan.survey()
    splits: dict[str, set[str]] = {}
    for face in training.faces:
        splits.setdefault(face.person, set()).add(face.split)
    assert len(splits) >= 200
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "valid", "test"}
    assert set(splits).isdisjoint(face.person for face in survey.faces)
    assert 3900 <= len(training.faces) <= 4100


def test_every_mixture_sums_to_one() -> None:
    for face in (*plan.training().faces, *plan.survey().faces):
        assert sum(face.mixture) == pytest.approx(1, abs=1e-3)


def test_the_committed_survey_set_is_the_planned_one() -> None:
    with (FOLDER / "survey.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    planned = {face.name: face for face in plan.survey().faces}
    assert set(rows) == set(planned)
    for name, face in planned.items():
        mixture = [float(rows[name][f"expression_mixture_{emotion}"]) for emotion in EMOTION_NAMES]
        np.testing.assert_allclose(mixture, face.mixture, atol=1e-6)
        assert (rows[name]["person"], rows[name]["role"]) == (face.person, face.role)
