"""Pack rendered pictures into `data/faces`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .emotions import EMOTIONS
from .plan import Face, Plan
from .render import image_path
from .scene import Quality

LIMIT = 16 * 2**20
"""Largest training pack, bytes."""


def _numbers(face: Face) -> dict[str, float]:
    valence, arousal = face.valence_arousal
    return {
        "intensity": face.intensity,
        "valence": valence,
        "arousal": arousal,
        "yaw": face.yaw,
        "pitch": face.pitch,
        "roll": face.roll,
    }


def pack_survey(plan: Plan, quality: Quality, rendered: Path, data: Path) -> int:
    """Write `survey/NAME.jpg` and `survey.csv`.

    Returns:
        Number of faces packed; those not rendered yet are left out.
    """
    folder = data / "survey"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["name", "file", "role", "kind", "person", *(f"expression_mixture_{e}" for e in EMOTIONS)]
    writer.writerow([*header, "intensity", "valence", "arousal", "yaw", "pitch", "roll"])
    count = 0
    for face in plan.faces:
        source = image_path(rendered, plan, face, quality)
        if not source.exists():
            continue
        shutil.copyfile(source, folder / f"{face.name}.jpg")
        writer.writerow(
            [
                face.name,
                f"survey/{face.name}.jpg",
                face.role,
                face.kind,
                face.person,
                *face.mixture,
                *_numbers(face).values(),
            ]
        )
        count += 1
    (data / "survey.csv").write_text(text.getvalue())
    return count


def pack_training(plan: Plan, quality: Quality, rendered: Path, data: Path) -> int:
    """Write `training.parquet`: one row a face, the JPEG bytes in it.

    Only people whose faces are all rendered are packed, so that a partial pack has the proportions of the whole.

    Returns:
        Number of faces packed.

    Raises:
        ValueError: the pack is larger than `LIMIT`.
    """
    by_person: dict[str, list[Face]] = {}
    for face in plan.faces:
        by_person.setdefault(face.person, []).append(face)
    faces = [
        face
        for group in by_person.values()
        if all(image_path(rendered, plan, f, quality).exists() for f in group)
        for face in group
    ]
    if not faces:
        return 0
    numbers = [_numbers(f) for f in faces]
    columns = {
        "name": pa.array([f.name for f in faces]),
        "split": pa.array([f.split for f in faces]),
        "person": pa.array([f.person for f in faces]),
        "kind": pa.array([f.kind for f in faces]),
        "jpeg": pa.array([image_path(rendered, plan, f, quality).read_bytes() for f in faces], pa.binary()),
        "expression_mixture": pa.array([list(f.mixture) for f in faces], pa.list_(pa.float32(), len(EMOTIONS))),
    }
    for name in ("intensity", "valence", "arousal", "yaw", "pitch", "roll"):
        columns[name] = pa.array([n[name] for n in numbers], pa.float32())
    table = pa.table(columns).replace_schema_metadata(
        {
            "emotions": json.dumps(EMOTIONS),
            "size": str(quality.size),
            "licence": "CC0-1.0",
            "source": "tools/render_faces",
        }
    )
    data.mkdir(parents=True, exist_ok=True)
    path = data / "training.parquet"
    plain = [c for c in table.column_names if c != "jpeg"]
    # JPEG bytes do not compress: storing them as they are makes reading them a copy
    pq.write_table(
        table,
        path,
        compression={c: "zstd" for c in plain} | {"jpeg": "none"},
        use_dictionary=["split", "person", "kind"],
    )
    if path.stat().st_size > LIMIT:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, more than {LIMIT}")
    return len(faces)


def write_checksums(data: Path) -> None:
    """`SHA256SUMS` of everything in `data` but the texts about it; check with `sha256sum -c SHA256SUMS`."""
    lines = []
    for path in sorted(p for p in data.rglob("*") if p.is_file() and p.name not in ("SHA256SUMS", "README.md")):
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(data).as_posix()}\n")
    (data / "SHA256SUMS").write_text("".join(lines))
