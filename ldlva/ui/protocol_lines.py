"""Parts of a protocol as lines of text that a form can edit, and back. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ldlva.errors import SurveyError
from ldlva.survey.protocol_sections import OwnLabel


def answers_to_lines(answers: Mapping[str, Sequence[str]]) -> str:
    """Faces with their accepted labels, one a line: `face.png = fear, surprise`."""
    return "\n".join(f"{name} = {', '.join(labels)}" for name, labels in answers.items())


def lines_to_answers(text: str, field: str) -> dict[str, list[str]]:
    """The other way round.

    Raises:
        SurveyError: a line lacks the `=`, or names a face twice; the field is named.
    """
    answers: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, labels = line.rpartition("=")
        name = name.strip()
        if not sign or not name:
            raise SurveyError(f"{field}: write a line as “face.png = fear, surprise”, not “{line}”.")
        if name in answers:
            raise SurveyError(f"{field}: {name!r} is there twice.")
        answers[name] = [label.strip() for label in labels.split(",") if label.strip()]
    return answers


def labels_to_lines(labels: Sequence[OwnLabel], language: str) -> str:
    """Own labels, one a line: `pride = Pride #2D5BA8`."""
    return "\n".join(
        " ".join(filter(None, (label.name, "=", label.title.get(language, ""), label.colour or ""))).removesuffix(" =")
        for label in labels
    )


def lines_to_labels(text: str, language: str, before: Sequence[OwnLabel]) -> list[dict[str, Any]]:
    """The other way round; coordinates, and titles in other languages, stay as they were."""
    known = {label.name: label.model_dump(mode="json") for label in before}
    labels = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition("=")
        title, sign, colour = rest.strip().rpartition("#")
        label = dict(known.get(name.strip(), {"name": name.strip(), "title": {}}))
        title = (title if sign else rest).strip()
        label["title"] = {**label["title"], language: title} if title else {}
        label["colour"] = f"#{colour.strip()}" if sign else None
        labels.append(label)
    return labels
