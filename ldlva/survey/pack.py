"""A study as it is published: everything that results rest on, and nothing that leads to a volunteer.

Raters have new numbers, times are days, and no link, code, participant's number or invitation is part of it. Answers
about volunteers and their own words are part of it only if asked for. `pack_store` makes a pack of a study in the
database and a study of a pack; `psych_ds` writes it as files and reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from ldlva.survey.protocol import Protocol

PACK = "pack"
"""Key of a study's origin that says it was imported from a pack."""

PLACEHOLDER = "{code}"
"""What stands for a volunteer's code in a completion address."""

Columns = dict[str, tuple[pa.DataType, str]]
"""Column name to type and meaning."""

_RATER = (pa.int64(), "Number of the rater within this data set, from 1; drawn anew, it says nothing about who it was.")
_IMAGE = (pa.string(), "File name of the face.")
_MODEL = (pa.string(), "Name of the model.")
_LABEL = (pa.string(), "Name of an emotion.")

VOTES: Columns = {
    "rater": _RATER,
    "trial": (pa.int64(), "Position of the decision among the rater's, from 1, taken back ones included."),
    "image": _IMAGE,
    "repeat": (pa.int64(), "0 for the first showing of a face to a rater, 1 for the second."),
    "kind": (pa.string(), "What the showing was for: face (counts for results), practice, gold or repeat."),
    "choice": (
        pa.string(),
        "The label chosen, none for “none of these”, other for another word; the first of several.",
    ),
    "choices": (pa.string(), "All labels chosen, separated by |, where several were allowed."),
    "intensity": (pa.int64(), "How strong the emotion is, 0 to 100, where the study asks for it."),
    "valence": (pa.float64(), "-1 unpleasant to 1 pleasant, where the study asks for it."),
    "arousal": (pa.float64(), "-1 calm to 1 excited, where the study asks for it."),
    "other_text": (pa.string(), "The rater's own word with other; empty unless published on purpose."),
    "options": (pa.string(), "The choices in the order of the rater's buttons, separated by |."),
    "protocol_hash": (pa.string(), "SHA-256 of the protocol the vote was made under: a file of documentation."),
    "source_choice": (pa.string(), "What an imported file said, where that is finer than choice."),
    "response_ms": (pa.int64(), "Milliseconds from the face being shown to the choice; empty if unknown."),
    "voted_on": (pa.string(), "Day of the vote or of its import (UTC); times of day are not published."),
    "taken_back_on": (pa.string(), "Day on which the rater took the vote back; empty for votes that count."),
}

RATERS: Columns = {
    "rater": _RATER,
    "source": (
        pa.string(),
        "web: a volunteer. Otherwise the data set whose votes were imported; where it published counts only (ferplus), "
        "votes were dealt to raters at random and nothing may be concluded about a single rater.",
    ),
    "language": (pa.string(), "Language in which the rater took part."),
    "consent_version": (pa.string(), "Version of the consent text the rater agreed to."),
    "consented_on": (pa.string(), "Day of that (UTC)."),
    "started_on": (pa.string(), "Day on which the rater was enrolled or imported (UTC)."),
    "finished_on": (pa.string(), "Day of the last face (UTC); empty if it was never reached."),
    "showings": (pa.string(), "The rater's list as JSON: image_number, repeat and kind of every showing."),
    "buttons": (pa.string(), "The choices in the order of the rater's buttons, separated by |."),
    "answers": (pa.string(), "Answers to the protocol's questions as JSON; empty unless published on purpose."),
}

IMAGES: Columns = {
    "image_number": (pa.int64(), "Number of the face within this data set, from 1."),
    "image": _IMAGE,
    "sha256": (pa.string(), "SHA-256 of the face's file."),
    "media_type": (pa.string(), "Encoding of the file."),
    "width": (pa.int64(), "Pixels."),
    "height": (pa.int64(), "Pixels."),
    "image_label": (pa.string(), "Single label given by the data set that the face came from; empty if none."),
}

MODELS: Columns = {
    "model": _MODEL,
    "method": (pa.string(), "How the model was trained."),
    "backbone": (pa.string(), "The network."),
    "labels": (pa.string(), "What the model can say, separated by |."),
    "weights_sha256": (pa.string(), "Ties all predictions to one set of weights."),
    "details": (pa.string(), "The model's record as JSON."),
}

PREDICTIONS: Columns = {
    "model": _MODEL,
    "image": _IMAGE,
    "label": _LABEL,
    "probability": (pa.float64(), "Probability that the model gives the label for the face."),
}

TABLES: dict[str, Columns] = {
    "votes": VOTES,
    "raters": RATERS,
    "images": IMAGES,
    "models": MODELS,
    "predictions": PREDICTIONS,
}
"""Every table of a pack."""

Rows = list[dict[str, Any]]


def publishing_problem(name: str, status: str, *protocols: Protocol) -> str | None:
    """Why a study should not be published yet, or None: whoever reads its protocols must not be able to cash in.

    Args:
        name: of the study.
        status: of the study.
        protocols: all that are published with it.
    """
    if status == "closed":
        return None
    completions = [protocol.completion for protocol in protocols]
    if any(completion.code is not None for completion in completions):
        return f"The protocol of {name!r}, published with it, names the completion code. Close the study first."
    if any(completion.url is not None and _may_hold_code(completion.url) for completion in completions):
        return (
            f"The protocol of {name!r}, published with it, names a completion address that may hold the completion "
            "code. Close the study first."
        )
    return None


def _may_hold_code(url: str) -> bool:
    """Whether a completion address may itself hold a code, as panels hand them out: `https://.../complete?cc=C1AB2CD3`.

    Nobody can tell a code from another word. With `{code}` the path leads to where the code is sent, and what a
    parameter is called is no code; every other word after the host may be one.
    """
    address = urlsplit(url)
    words = [parameter.rpartition("=")[2] for parameter in address.query.split("&")] + [address.fragment]
    if PLACEHOLDER not in url:
        words.append(address.path.strip("/"))
    return any(word not in ("", PLACEHOLDER) for word in words)


@dataclass(frozen=True)
class Pack:
    """A study to publish.

    Attributes:
        study: name, seed, origin, withdrawn (how many volunteers took everything back), created_on.
        protocols: all versions in order, as `version`, `sha256`, `content` (canonical JSON) and `created_on`; the last
            is the present one.
        tables: rows of each of `TABLES`.
        features: (model, image, little-endian float32) of every prediction that has some.
        contents: image files by name; empty if they are not part of the pack.
    """

    study: dict[str, Any]
    protocols: Rows
    tables: dict[str, Rows]
    features: list[tuple[str, str, bytes]]
    contents: dict[str, bytes] = field(default_factory=dict)
