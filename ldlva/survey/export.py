"""A study's votes as files anyone can read, with the dictionary that explains them."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

import ldlva
from ldlva.errors import SurveyError
from ldlva.survey.records import StudySummary

COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "vote": (pa.int64(), "Number of the vote; grows with time."),
    "study": (pa.string(), "Name of the study."),
    "image": (pa.string(), "File name of the face."),
    "image_sha256": (pa.string(), "SHA-256 of the face's file: the same picture has the same value in every study."),
    "image_label": (pa.string(), "Single label given by the data set the face came from; empty if none."),
    "volunteer": (pa.int64(), "Number of the rater. Says nothing about who it was."),
    "volunteer_source": (
        pa.string(),
        "web: a volunteer on this site. Otherwise the imported data set; if it published counts only (ferplus), "
        "votes were dealt to raters at random and nothing may be concluded about a single rater.",
    ),
    "consent_version": (pa.string(), "Version of the consent text the volunteer agreed to; empty if imported."),
    "repeat": (pa.int64(), "0 for the first showing of a face to a volunteer."),
    "choice": (pa.string(), "The label chosen, or none for “none of these”."),
    "source_choice": (pa.string(), "What the imported file said, where that is finer than choice; empty otherwise."),
    "response_ms": (
        pa.int64(),
        "Milliseconds from the server sending the face to its receiving the vote, network included; empty if unknown.",
    ),
    "created_at": (pa.timestamp("ms", tz="UTC"), "When the vote was made or, if imported, when it was imported (UTC)."),
    "superseded_at": (
        pa.timestamp("ms", tz="UTC"),
        "When the volunteer took the vote back (UTC); empty for a current vote. Results use current votes only.",
    ),
}
"""Column name to type and meaning; the export has exactly these."""


def export_study(study: StudySummary, rows: list[dict[str, Any]], folder: Path) -> list[Path]:
    """Write `votes.parquet`, `votes.csv`, `dictionary.json` and `SHA256SUMS`: all of them, or nothing.

    Args:
        study: the study the rows belong to.
        rows: from `Repository.vote_rows`.
        folder: made if missing.

    Returns:
        The files written.

    Raises:
        SurveyError: the folder is not empty, or cannot be written.
    """
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()]))
    dictionary = {
        "study": {
            "name": study.name,
            "title": study.title,
            "description": study.description,
            "labels": list(study.labels),
            "consent_version": study.consent_version,
            "consent_text": study.consent_text,
            "created_at": study.created_at.isoformat(),
            "origin": study.origin,
        },
        "made_with": f"ldlva {ldlva.__version__}",
        "rows": len(rows),
        "columns": {name: {"type": str(kind), "meaning": meaning} for name, (kind, meaning) in COLUMNS.items()},
    }
    scratch = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise SurveyError(f"{folder} is not empty. Choose another folder: an export never overwrites.")
        scratch.mkdir(parents=True)
        pq.write_table(table, scratch / "votes.parquet")
        pa_csv.write_csv(table, scratch / "votes.csv")
        text = json.dumps(dictionary, indent=2, ensure_ascii=False) + "\n"
        (scratch / "dictionary.json").write_text(text, encoding="utf-8")
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(scratch.iterdir())]
        (scratch / "SHA256SUMS").write_text("".join(sums))
        scratch.replace(folder)
    except OSError as error:
        raise SurveyError(f"The export could not be written to {folder}: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return sorted(folder.iterdir())
