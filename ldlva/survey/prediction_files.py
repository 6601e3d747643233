"""Predictions as CSV or Parquet files, an image a row, a label's probability a column: of models from outside, read; of
any model, written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ldlva.distributions import FloatArray
from ldlva.errors import SurveyError
from ldlva.survey.records import NewModel, StudySummary
from ldlva.survey.repository import Repository

IMAGE_COLUMNS = ("image", "name", "file", "image_name")
"""Any of these names the column of image names."""

ROUNDING = 0.01
"""A row may miss a sum of one by this much, from rounded decimals; it is then divided by its sum, and said."""

OUTSIDE = "outside"
"""Method of a model whose predictions were imported."""

_LISTED = 10


@dataclass(frozen=True)
class ImportedPredictions:
    """Probabilities `[M, C]` of M images of a study, and what to know about the file."""

    images: tuple[str, ...]
    probabilities: FloatArray
    rescaled: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """All but the probabilities."""
        return {
            "images": len(self.images),
            "rescaled_rows": self.rescaled,
            "missing_images": list(self.missing),
            "not_in_the_study": list(self.unknown),
            "sha256": self.sha256,
        }


def read_predictions(
    source: Path | BinaryIO, name: str, labels: Sequence[str], images: Sequence[str], partial: bool = False
) -> ImportedPredictions:
    """Read and check predictions for a study.

    Args:
        source: the file, or its content.
        name: of the file; its ending tells CSV from Parquet.
        labels: C labels of the study, each of which needs a column; a further column that is no image name is an error.
        images: the study's images. Others in the file are passed over and listed.
        partial: accept a file that lacks images of the study.

    Raises:
        SurveyError: everything that is wrong with the file, each fault with the rows concerned.
    """
    content = _content(source, name)
    table = _table(content, name)
    image_column = _image_column(table, name)
    problems = _label_problems(table, labels, image_column)
    if problems:
        raise SurveyError(_faults(name, problems))
    names = [str(value) for value in table[image_column].to_pylist()]
    values = np.column_stack([_numbers(table[label], label, name) for label in labels]).reshape(len(names), len(labels))
    wanted = set(images)
    problems = _row_problems(names, values)
    missing = tuple(image for image in images if image not in set(names))
    if missing and not partial:
        problems.append(
            f"{len(missing)} of the study's {len(images)} images are missing: {_some(missing)}. "
            "Add them, or accept that only the images every model predicted are compared (--partial)"
        )
    if not wanted & set(names):
        problems = [f"no image of the study is in it; the study's images are named like {images[0]!r}"]
    if problems:
        raise SurveyError(_faults(name, problems))
    kept = [row for row, image in enumerate(names) if image in wanted]
    sums = values[kept].sum(axis=1, keepdims=True)
    return ImportedPredictions(
        images=tuple(names[row] for row in kept),
        probabilities=values[kept] / sums,
        rescaled=int((np.abs(sums - 1) > 1e-6).sum()),
        missing=missing,
        unknown=tuple(image for image in names if image not in wanted),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def store_imported(
    repository: Repository, study: StudySummary, model: str, found: ImportedPredictions, replace: bool = False
) -> None:
    """Store imported predictions under a model's name.

    Raises:
        SurveyError: a bad name, a trained model's, or one that predicted this study already, `replace` being false.
    """
    model = model.strip()
    if not model or not model.isprintable() or len(model) > 120:
        raise SurveyError("Give the model a name of 1 to 120 printable characters.")
    identity = hashlib.sha256(f"{OUTSIDE} {model}".encode()).hexdigest()
    kind = repository.model_method(model)
    if kind is not None and kind != OUTSIDE:
        raise SurveyError(f"{model!r} is the name of a model that was trained here. Choose another name.")
    stored = next((one for one in repository.predictions(study) if one.name == model), None)
    if stored is not None and not replace:
        raise SurveyError(
            f"{model!r} has predicted “{study.title}” already. Choose another name, or replace those predictions "
            "(--replace)."
        )
    ids = {name: image_id for image_id, name, _ in repository.images(study)}
    details = {"imported": {"sha256": found.sha256, "images": len(found.images), "rescaled_rows": found.rescaled}}
    if stored is not None:
        repository.drop_predictions(model, study)
    repository.store_predictions(
        NewModel(model, OUTSIDE, "", study.labels, identity, details),
        [ids[image] for image in found.images],
        found.probabilities,
        np.zeros((len(found.images), 0), dtype=np.float32),
    )


def write_predictions(path: Path, repository: Repository, study: StudySummary, model: str) -> int:
    """Write what a model predicted for a study as a file that `read_predictions` reads: Parquet by its ending, or CSV.

    Returns:
        How many images that are.

    Raises:
        SurveyError: the model has not predicted the study, the file exists, or it cannot be written.
    """
    stored = next((one for one in repository.predictions(study) if one.name == model), None)
    if stored is None:
        raise SurveyError(f"{model!r} has not predicted “{study.title}”.")
    if path.exists():
        raise SurveyError(f"{path} exists already. Choose another name.")
    names = {image_id: name for image_id, name, _ in repository.images(study)}
    columns = {label: stored.probabilities[:, column].astype(np.float32) for column, label in enumerate(stored.labels)}
    table = pa.table({IMAGE_COLUMNS[0]: [names[image_id] for image_id in stored.image_ids], **columns})
    try:
        if path.suffix.lower() == ".parquet":
            pq.write_table(table, path, compression="zstd")
        else:
            pa_csv.write_csv(table, path)
    except OSError as error:
        raise SurveyError(f"{path} cannot be written: {error.strerror or error}.") from None
    return len(table)


def _content(source: Path | BinaryIO, name: str) -> bytes:
    try:
        return source.read_bytes() if isinstance(source, Path) else source.read()
    except OSError as error:
        raise SurveyError(f"{name} cannot be read: {error.strerror}.") from None


def _table(content: bytes, name: str) -> pa.Table:
    try:
        if name.lower().endswith(".parquet"):
            return pq.read_table(pa.BufferReader(content))
        return pa_csv.read_csv(pa.BufferReader(content))
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        kind = "Parquet" if name.lower().endswith(".parquet") else "CSV"
        raise SurveyError(f"{name} cannot be read as {kind}: {str(error).splitlines()[0]}") from None


def _image_column(table: pa.Table, name: str) -> str:
    found = [column for column in table.column_names if column in IMAGE_COLUMNS]
    if len(found) != 1:
        raise SurveyError(
            f"{name} needs one column with the images' file names, called {' or '.join(IMAGE_COLUMNS)}; its columns "
            f"are {', '.join(table.column_names)}."
        )
    return str(found[0])


def _label_problems(table: pa.Table, labels: Sequence[str], image_column: str) -> list[str]:
    columns = [column for column in table.column_names if column != image_column]
    problems = []
    if twice := [column for column, count in Counter(columns).items() if count > 1]:
        problems.append(f"columns given twice: {_some(twice)}")
    if missing := [label for label in labels if label not in columns]:
        problems.append(f"no column for {_some(missing)}; the study's labels are {', '.join(labels)}")
    if unknown := [column for column in columns if column not in labels]:
        problems.append(f"columns that are no label of the study: {_some(unknown)}")
    return problems


def _numbers(column: pa.ChunkedArray, label: str, name: str) -> FloatArray:
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SurveyError(f"{name}: the column {label} holds something that is no number: {error}") from None


def _row_problems(names: Sequence[str], values: FloatArray) -> list[str]:
    def rows(wrong: Callable[[FloatArray], Any]) -> list[str]:
        return [names[int(row)] for row in np.flatnonzero(wrong(values))]

    problems = []
    if twice := [image for image, count in Counter(names).items() if count > 1]:
        problems.append(f"images given twice: {_some(twice)}")
    if empty := rows(lambda v: ~np.isfinite(v).all(axis=1)):
        problems.append(f"empty or infinite values (NaN) for {_some(empty)}")
    if negative := rows(lambda v: (v < 0).any(axis=1)):
        problems.append(f"negative values for {_some(negative)}; logits have to go through a softmax first")
    sums = values.sum(axis=1)
    usable = np.isfinite(sums) & (values >= 0).all(axis=1)
    if off := list(np.flatnonzero(usable & (np.abs(sums - 1) > ROUNDING))):
        listed = _some([f"{names[int(row)]} ({sums[row]:.4g})" for row in off])
        problems.append(f"rows that do not sum to one: {listed}")
    return problems


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more


def _faults(name: str, problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return f"{name}: {problems[0]}. Nothing was stored."
    return "\n".join([f"{name} has {len(problems)} faults; nothing was stored.", *(f"- {one}." for one in problems)])
