"""A map of faces by what models see in them: the panels of the supplement's Figure 1, with the numbers beside them.

`drawing` computes it, in a child process; the page and the figures read what it wrote:

```
FOLDER/embedding.json   an `Embedding`
       sheet-0.jpg ...  small pictures of the faces, see `contact_sheet`
       points.csv       the same coordinates for other programs
       embedding.svg    the figure
```
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ldlva.embedding import cache
from ldlva.embedding.contact_sheet import Layout
from ldlva.embedding.separation import NO_GROUP, Separation
from ldlva.errors import ProjectionError
from ldlva.inference import Estimate
from ldlva.new_folder import new_folder

CONTENT = "embedding.json"
FORMAT = 1
"""Counted up when the content or the computation changes, so that nothing older is shown for it."""

LABEL, MAJORITY = "label", "majority"
GROUPINGS = (LABEL, MAJORITY)


@dataclass(frozen=True)
class Panel:
    """One model's map.

    Attributes:
        coordinates: N pairs, four decimals.
        divergence: t-SNE's own, at its end; comparable only within one set of faces and perplexity.
        width: number of features.
        labels: names of what the model can say.
        choices: its most probable label of every face, index into `labels`.
        confidences: its probability, three decimals.
        separation: by grouping, where it is defined.
    """

    model: str
    method: str
    weights_sha256: str
    width: int
    divergence: float
    coordinates: list[list[float]]
    choices: list[int]
    confidences: list[float]
    labels: list[str]
    separation: dict[str, Separation]


@dataclass(frozen=True)
class Embedding:
    """Faces, and a panel per model.

    Attributes:
        source, title, names, parts, of: as in `drawing.Faces`.
        palette: name, title and colour of every label.
        labels, majorities: index into `palette`; `NO_GROUP` where there is none.
        entropies: of every face's `reference` distribution in nats, three decimals; None where there is none.
        reference: what the distributions are.
        human: whether they are people's.
        votes: number of votes of every face; empty where unknown.
        measured: what the separation rests on, for a person.
        perplexity, seed: of t-SNE.
        versions: what computed.
        sheets: how many contact sheets there are.
        state: of what it was computed from, see `cache`; another state now means that it is out of date.
    """

    source: str
    title: str
    names: list[str]
    parts: list[str]
    of: int
    palette: list[list[str]]
    labels: list[int]
    majorities: list[int]
    entropies: list[float | None]
    reference: str
    human: bool
    votes: list[int]
    measured: str
    perplexity: float
    seed: int
    panels: list[Panel]
    versions: list[str]
    sheets: int
    state: list[int]
    layout: Layout = field(default_factory=Layout)
    format: int = FORMAT

    @property
    def groupings(self) -> list[str]:
        """Those that at least one face has."""
        found = {LABEL: self.labels, MAJORITY: self.majorities}
        return [name for name, groups in found.items() if any(group != NO_GROUP for group in groups)]

    def groups(self, grouping: str) -> list[int]:
        return self.labels if grouping == LABEL else self.majorities

    def numbers(self) -> dict[str, Any]:
        """All but the faces, for `--json`."""
        return {
            "source": self.source,
            "faces": len(self.names),
            "of": self.of or len(self.names),
            "perplexity": self.perplexity,
            "seed": self.seed,
            "measured_on": self.measured,
            "versions": self.versions,
            "models": {
                panel.model: {
                    "method": panel.method,
                    "weights_sha256": panel.weights_sha256,
                    "features": panel.width,
                    "tsne_divergence": panel.divergence,
                    "separation": {name: numbers.to_json() for name, numbers in panel.separation.items()},
                }
                for panel in self.panels
            },
        }


def digest(*parts: bytes | str) -> str:
    """SHA-256 of parts, each with its length: no two lists of parts run together."""
    found = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        found.update(f"{len(content)}:".encode())
        found.update(content)
    return found.hexdigest()


def write(embedding: Embedding, sheets: Sequence[bytes], figure: str, folder: Path, replace: bool = False) -> None:
    """Write an embedding with its pictures: all of it, or nothing.

    Args:
        embedding: what to write.
        sheets: contact sheets.
        figure: the SVG.
        folder: made if missing.
        replace: an embedding that is there gives way.

    Raises:
        ProjectionError: the folder holds something, or cannot be written.
    """
    # Faces may be confidential, hence the mode.
    with new_folder(
        folder, "The map", ProjectionError, lambda there: replace and (there / CONTENT).is_file(), mode=0o700
    ) as scratch:
        (scratch / CONTENT).write_text(json.dumps(asdict(embedding)), encoding="utf-8")
        (scratch / "points.csv").write_text(_points(embedding), encoding="utf-8", newline="")
        (scratch / "embedding.svg").write_text(figure, encoding="utf-8")
        for number, sheet in enumerate(sheets):
            (scratch / f"sheet-{number}.jpg").write_bytes(sheet)


def read(folder: Path) -> tuple[Embedding, list[bytes]] | None:
    """What `write` wrote; None if there is nothing whole and of this version."""
    try:
        content = json.loads((folder / CONTENT).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None
        panels = [
            Panel(
                **{
                    **panel,
                    "separation": {name: separation_from_json(one) for name, one in panel["separation"].items()},
                }
            )
            for panel in content["panels"]
        ]
        embedding = Embedding(**{**content, "panels": panels, "layout": Layout(**content["layout"])})
        return embedding, [(folder / f"sheet-{number}.jpg").read_bytes() for number in range(embedding.sheets)]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(source: str) -> None:
    """Delete the maps of these faces that pages had computed, with their pictures.

    What stays in the cache are coordinates and numbers without names; newer ones displace them.

    Args:
        source: as `Embedding.source`.
    """
    for content in cache.folder("views").glob(f"*/{CONTENT}"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            if json.loads(content.read_text(encoding="utf-8"))["source"] == source:
                shutil.rmtree(content.parent)


def separation_from_json(content: Mapping[str, Any]) -> Separation:
    measures = {name: Estimate(**content[name]) for name in ("silhouette", "davies_bouldin", "purity")}
    return Separation(**{**content, **measures})


def _points(embedding: Embedding) -> str:
    """Coordinates as CSV, a line per model and face."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(["model", "face", "part", "x", "y", "label", "majority", "entropy", "choice", "probability"])
    name = [*(label for label, _, _ in embedding.palette), ""]  # NO_GROUP is the last
    for panel in embedding.panels:
        for row, face in enumerate(embedding.names):
            lines.writerow(
                [
                    panel.model, face, embedding.parts[row] if embedding.parts else "", *panel.coordinates[row],
                    name[embedding.labels[row]], name[embedding.majorities[row]], embedding.entropies[row],
                    panel.labels[panel.choices[row]], panel.confidences[row],
                ]
            )  # fmt: skip
    return written.getvalue()
