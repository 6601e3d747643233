"""A study's votes as files anyone can read, with the dictionary that explains them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

import ldlva
from ldlva.errors import SurveyError
from ldlva.new_folder import new_folder
from ldlva.survey.protocol import Protocol, parse_protocol
from ldlva.survey.protocol_file import to_toml
from ldlva.survey.records import StudySummary

_ANSWER = "answer_"

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
    "protocol_hash": (
        pa.string(),
        "SHA-256 of the protocol the vote was made under, one of the files protocol-N.json; empty if imported or made "
        "before studies had protocols.",
    ),
    "kind": (
        pa.string(),
        "What the showing was for: face (counts for results), practice, gold (a known answer), or repeat (second "
        "showing of a face).",
    ),
    "repeat": (pa.int64(), "0 for the first showing of a face to a volunteer, 1 for the second."),
    "choice": (
        pa.string(),
        "The label chosen, none for “none of these”, other for another word. Of several, the first in the study's "
        "order.",
    ),
    "choices": (pa.string(), "All labels chosen, separated by |, where several were allowed; empty otherwise."),
    "intensity": (pa.int64(), "How strong the emotion is, 0 to 100, where the study asks for it; empty otherwise."),
    "valence": (pa.float64(), "Point on the grid, -1 unpleasant to 1 pleasant, where the study asks for it."),
    "arousal": (pa.float64(), "Point on the grid, -1 calm to 1 excited, where the study asks for it."),
    "other_text": (pa.string(), "The volunteer's own word with other. Free text: read before publishing."),
    "options": (pa.string(), "The choices in the order of the volunteer's buttons, separated by |; empty if imported."),
    "source_choice": (pa.string(), "What the imported file said, where that is finer than choice; empty otherwise."),
    "response_ms": (
        pa.int64(),
        "Milliseconds from the face being painted to the choice, measured in the volunteer's browser; with plain "
        "buttons (no script) from sending the face to receiving the vote, network included. Empty if unknown.",
    ),
    "created_at": (pa.timestamp("ms", tz="UTC"), "When the vote was made or, if imported, when it was imported (UTC)."),
    "superseded_at": (
        pa.timestamp("ms", tz="UTC"),
        "When the volunteer took the vote back (UTC); empty for a current vote. Results use current votes only.",
    ),
}
"""Column of `votes` to type and meaning; the export has exactly these."""

VOLUNTEER_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "volunteer": COLUMNS["volunteer"],
    "volunteer_source": COLUMNS["volunteer_source"],
    "participant_id": (
        pa.string(),
        "The participant's number from the link, as it is stored: plain, or sha256: and a keyed hash of it; empty if "
        "none was given or the retention time is over. Plain numbers are personal data.",
    ),
    "language": (pa.string(), "Language in which the volunteer took part."),
    "consent_version": COLUMNS["consent_version"],
    "consented_at": (pa.timestamp("ms", tz="UTC"), "When the volunteer agreed (UTC)."),
    "finished_at": (pa.timestamp("ms", tz="UTC"), "When the last face was voted on (UTC); empty if it never was."),
    "completion_code": (pa.string(), "The volunteer's own completion code, where the study gives one."),
    "showings": (pa.int64(), "How many showings the volunteer's list has."),
    "votes": (pa.int64(), "Current votes of the volunteer, of every kind."),
    "gold_seen": (pa.int64(), "Gold faces answered."),
    "gold_wrong": (pa.int64(), "Gold faces answered with no accepted label."),
    "repeats_seen": (pa.int64(), "Second showings answered."),
    "repeats_changed": (pa.int64(), "Second showings answered differently from the first."),
    "too_fast": (pa.int64(), "Answers faster than the protocol's attention.fastest_ms."),
    "attention_flags": (
        pa.string(),
        "Attention rules of the protocol that were broken, separated by |. Nothing is dropped.",
    ),
}
"""Column of `volunteers` to type and meaning; questions of the protocol follow as `answer_KEY`."""


def export_study(
    study: StudySummary,
    rows: list[dict[str, Any]],
    folder: Path,
    volunteers: Sequence[dict[str, Any]] = (),
    protocols: Sequence[tuple[int, str]] = (),
) -> list[Path]:
    """Write votes and volunteers as Parquet and CSV, `dictionary.json`, protocols and `SHA256SUMS`: all, or nothing.

    Args:
        study: the study the rows belong to.
        rows: from `Repository.vote_rows`.
        folder: made if missing.
        volunteers: from `Repository.volunteer_rows`.
        protocols: from `Repository.protocol_contents`; each becomes `protocol-N.toml`, and `protocol-N.json`, whose
            SHA-256 is the votes' `protocol_hash`.

    Returns:
        The files written.

    Raises:
        SurveyError: the folder is not empty, or cannot be written.
    """
    columns = {**VOLUNTEER_COLUMNS, **_question_columns(study.protocol, volunteers)}
    tables = {"votes": _table(rows, COLUMNS), "volunteers": _table(volunteers, columns)}
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
            "withdrawn": study.withdrawn,
            "protocol_version": study.protocol_version,
            "protocol_hash": study.protocol_hash,
        },
        "made_with": f"ldlva {ldlva.__version__}",
        "rows": len(rows),
        "columns": _described(COLUMNS),
        "volunteers": {"rows": len(volunteers), "columns": _described(columns)},
    }
    with new_folder(folder, "The export", SurveyError) as scratch:
        for name, table in tables.items():
            pq.write_table(table, scratch / f"{name}.parquet")
            pa_csv.write_csv(table, scratch / f"{name}.csv")
        for version, content in protocols:
            (scratch / f"protocol-{version}.toml").write_text(to_toml(parse_protocol(content)), encoding="utf-8")
            (scratch / f"protocol-{version}.json").write_bytes(content.encode())
        text = json.dumps(dictionary, indent=2, ensure_ascii=False) + "\n"
        (scratch / "dictionary.json").write_text(text, encoding="utf-8")
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(scratch.iterdir())]
        (scratch / "SHA256SUMS").write_text("".join(sums))
    return sorted(folder.iterdir())


def _table(rows: Sequence[dict[str, Any]], columns: dict[str, tuple[pa.DataType, str]]) -> pa.Table:
    texts = [name for name, (kind, _) in columns.items() if name.startswith(_ANSWER) and pa.types.is_string(kind)]
    plain = [{**row, **{name: None if row[name] is None else str(row[name]) for name in texts}} for row in rows]
    return pa.Table.from_pylist(plain, schema=pa.schema([(name, kind) for name, (kind, _) in columns.items()]))


def _described(columns: dict[str, tuple[pa.DataType, str]]) -> dict[str, dict[str, str]]:
    return {name: {"type": str(kind), "meaning": meaning} for name, (kind, meaning) in columns.items()}


def _question_columns(protocol: Protocol, volunteers: Sequence[dict[str, Any]]) -> dict[str, tuple[pa.DataType, str]]:
    """Columns of the answers about volunteers; numbers stay numbers unless an earlier protocol had texts there."""
    questions = {f"{_ANSWER}{question.key}": question for question in protocol.demographics}
    found = dict.fromkeys(name for row in volunteers for name in row if name.startswith(_ANSWER))
    columns: dict[str, tuple[pa.DataType, str]] = {}
    for name in {**questions, **found}:
        question = questions.get(name)
        values = [row[name] for row in volunteers if row.get(name) is not None]
        numbers = question is not None and question.kind == "number" and all(isinstance(v, int | float) for v in values)
        meaning = (
            f"Answer to: {protocol.say(question.text, protocol.languages[0])}"
            if question
            else "Answer to a question of an earlier protocol."
        )
        columns[name] = (pa.float64() if numbers else pa.string(), meaning)
    return columns
