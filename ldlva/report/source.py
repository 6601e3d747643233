"""What a report is computed from, and the files that hold it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import ldlva
from ldlva.comparison.calibration import Temperature
from ldlva.emotions import Emotion
from ldlva.errors import SurveyError
from ldlva.survey.comparing import Alignment, align_study
from ldlva.survey.records import StudySummary, StudyVotes
from ldlva.survey.repository import Repository

FORMAT = 1


@dataclass(frozen=True)
class ModelFacts:
    """What a model is, for tables and the methods paragraph."""

    method: str
    backbone: str
    trained_on: str


@dataclass(frozen=True)
class ReportSource:
    """Votes and predictions of one study with what is to be said about them.

    `volunteers` are those who voted on the study's page, not all who agreed to take part.
    """

    name: str
    title: str
    origin: dict[str, Any]
    imported_raters: int
    volunteers: int
    seed: int
    aligned: Alignment
    facts: dict[str, ModelFacts]
    made_with: str


def from_study(
    repository: Repository, study: StudySummary, models: Collection[str] | None = None, seed: int = 0
) -> ReportSource:
    """A study of the database.

    Raises:
        SurveyError: nothing to compare, or an unknown model.
    """
    aligned = align_study(repository, study, models)
    stored = {model.name: model for model in repository.predictions(study)}
    return ReportSource(
        name=study.name,
        title=study.title,
        origin=study.origin,
        imported_raters=study.imported_raters,
        volunteers=repository.voters(study),
        seed=seed,
        aligned=aligned,
        facts={
            name: ModelFacts(stored[name].method, stored[name].backbone, _trained_on(stored[name].details))
            for name in aligned.predictions
        },
        made_with=f"ldlva {ldlva.__version__}",
    )


def _trained_on(details: dict[str, Any]) -> str:
    data = details.get("data")
    if not isinstance(data, dict):
        return ""
    return " ".join(str(data[key]) for key in ("source", "split") if data.get(key))


def write_source(source: ReportSource, folder: Path) -> None:
    """Write `data/`; every float with all its digits."""
    votes = source.aligned.votes
    facts = {
        "format": FORMAT,
        "name": source.name,
        "title": source.title,
        "origin": source.origin,
        "imported_raters": source.imported_raters,
        "volunteers": source.volunteers,
        "seed": source.seed,
        "labels": [asdict(emotion) for emotion in votes.emotions],
        "models": {name: asdict(facts) for name, facts in source.facts.items()},
        "temperatures": {name: asdict(value) for name, value in source.aligned.temperatures.items()},
        "incomparable": source.aligned.incomparable,
        "notes": list(source.aligned.notes),
        "made_with": source.made_with,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    tallies = (votes.counts.tolist(), votes.none_counts.tolist(), votes.raters.tolist())
    rows = zip(votes.image_names, votes.image_labels, *tallies, strict=True)
    _write_csv(
        folder / "votes.csv",
        ["image", "label", *votes.labels, "none", "raters"],
        ([name, label or "", *counts, none, raters] for name, label, counts, none, raters in rows),
    )
    _write_csv(
        folder / "predictions.csv",
        ["model", "image", *votes.labels],
        (
            [name, votes.image_names[row], *map(repr, predicted[row].tolist())]
            for name, predicted in source.aligned.predictions.items()
            for row in np.flatnonzero(~np.isnan(predicted).any(axis=1))
        ),
    )


def read_source(folder: Path) -> ReportSource:
    """What `write_source` wrote into `folder`, or into its `data`.

    Raises:
        SurveyError: a file is missing or damaged.
    """
    data = folder / "data" if (folder / "data").is_dir() else folder
    try:
        facts = json.loads((data / "study.json").read_text(encoding="utf-8"))
        emotions = tuple(Emotion(**label) for label in facts["labels"])
        labels = [emotion.name for emotion in emotions]
        votes = list(csv.DictReader(io.StringIO((data / "votes.csv").read_text(encoding="utf-8"))))
        names = tuple(row["image"] for row in votes)
        tallied = StudyVotes(
            emotions=emotions,
            image_ids=tuple(range(len(votes))),
            image_names=names,
            image_labels=tuple(row["label"] or None for row in votes),
            counts=np.array([[int(row[label]) for label in labels] for row in votes], dtype=np.int64),
            none_counts=np.array([int(row["none"]) for row in votes], dtype=np.int64),
            raters=np.array([int(row["raters"]) for row in votes], dtype=np.int64),
        )
        position = {name: row for row, name in enumerate(names)}
        predictions = {name: np.full(tallied.counts.shape, np.nan) for name in facts["models"]}
        for row in csv.DictReader(io.StringIO((data / "predictions.csv").read_text(encoding="utf-8"))):
            predictions[row["model"]][position[row["image"]]] = [float(row[label]) for label in labels]
        temperatures = {name: Temperature(**value) for name, value in facts["temperatures"].items()}
        return ReportSource(
            **{key: facts[key] for key in ("name", "title", "origin", "imported_raters", "volunteers", "seed")},
            aligned=Alignment(tallied, predictions, temperatures, facts["incomparable"], tuple(facts["notes"])),
            facts={name: ModelFacts(**value) for name, value in facts["models"].items()},
            made_with=facts["made_with"],
        )
    except OSError as error:
        raise SurveyError(f"{data} holds no report's data: {error.filename} cannot be read.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise SurveyError(f"The report's data in {data} are damaged: {error!r}.") from None


def with_seed(source: ReportSource, seed: int | None) -> ReportSource:
    """The same data with other random draws, if a seed is given."""
    return source if seed is None else replace(source, seed=seed)


def _write_csv(path: Path, header: list[str], rows: Any) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
