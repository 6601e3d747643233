"""A pack as a Psych-DS data set (https://psych-ds.github.io, rules as of 2024), and back.

```
DIR/dataset_description.json                    what the data set is, and every column with its meaning
    README.md                                   for people
    data/study-NAME_description-votes_data.csv  and raters, images, models, predictions
    data/parquet/votes.parquet ...              the same tables with types, and features.parquet
    documentation/study.json                    what no table holds
    documentation/protocol-1.json ...           protocols as votes name them by SHA-256, and as TOML
    documentation/consent-1-en.txt ...          what volunteers agreed to, by protocol and language
    materials/images/...                        the faces, where their licence allows
    SHA256SUMS                                  of all other files
```
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

import ldlva
from ldlva.errors import SurveyError
from ldlva.new_folder import new_folder
from ldlva.survey.pack import TABLES, Pack
from ldlva.survey.protocol import Protocol, parse_protocol
from ldlva.survey.protocol_file import to_toml

FORMAT = 1
SUMS = "SHA256SUMS"
STUDY = "documentation/study.json"
DESCRIPTION = "dataset_description.json"

NOT_OURS_TO_SHARE = ("ferplus", "rafdb", "affectnet")
"""Sources whose licences do not let others pass their images on."""

_FEATURES = pa.schema([("model", pa.string()), ("image", pa.string()), ("features", pa.binary())])
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}


def may_share_images(pack: Pack) -> bool:
    """Whether the faces' source lets others pass its images on, as far as this product knows."""
    return pack.study["origin"].get("source") not in NOT_OURS_TO_SHARE


def write_pack(
    pack: Pack, folder: Path, authors: Sequence[str] = (), licence: str | None = None, citation: str | None = None
) -> list[Path]:
    """Write a pack as a Psych-DS data set: all of it, or nothing.

    Args:
        pack: the pack; with image files only where they may be shared.
        folder: made if missing.
        authors: names for the description.
        licence: of the data, a name or an address.
        citation: how to cite it.

    Returns:
        The files written.

    Raises:
        SurveyError: the folder is not empty or cannot be written, or the images may not be shared.
    """
    files = _files(pack, authors, licence, citation)
    with new_folder(folder, "The data set", SurveyError) as scratch:
        for name, content in files.items():
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def pack_archive(
    pack: Pack, authors: Sequence[str] = (), licence: str | None = None, citation: str | None = None
) -> bytes:
    """The same files as a ZIP archive, in a folder named as the study; for a download.

    Args:
        pack, authors, licence, citation: as for `write_pack`.

    Raises:
        SurveyError: the images may not be shared.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(_files(pack, authors, licence, citation).items()):
            archive.writestr(f"{pack.study['name']}/{name}", content)
    return written.getvalue()


def read_pack(folder: Path, images: Path | None = None) -> tuple[Pack, dict[str, bytes]]:
    """Read what `write_pack` wrote, after checking every file.

    Args:
        folder: the data set.
        images: a folder (with folders in it) that holds image files, where the data set does not.

    Returns:
        The pack, and image files by SHA-256.

    Raises:
        SurveyError: not such a data set, or a file of it is missing, added, damaged or edited; it is named.
    """
    _check_sums(folder)
    study = _json(folder / STUDY)
    if study.get("format") != FORMAT:
        raise SurveyError(f"{folder / STUDY} is of format {study.get('format')!r}; this version reads {FORMAT}.")
    try:
        protocols = [
            {**row, "content": (folder / f"documentation/protocol-{row['version']}.json").read_bytes().decode()}
            for row in study["protocols"]
        ]
        for row in protocols:
            if parse_protocol(row["content"]).hash != row["sha256"]:
                raise SurveyError(f"{folder}/documentation/protocol-{row['version']}.json is not the protocol it was.")
        known = study["study"]
        tables = {name: _read_table(folder, known["name"], name) for name in TABLES}
        features = pq.read_table(folder / "data/parquet/features.parquet", schema=_FEATURES).to_pylist()
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise SurveyError(f"{folder} cannot be read as a data set of this product: {error}") from None
    pack = Pack(
        study=known,
        protocols=protocols,
        tables={name: table.to_pylist() for name, table in tables.items()},
        features=[(row["model"], row["image"], row["features"]) for row in features],
    )
    return pack, _contents([folder / "materials" / "images", *([images] if images else [])], pack)


def _files(pack: Pack, authors: Sequence[str], licence: str | None, citation: str | None) -> dict[str, bytes]:
    """Every file by its path."""
    if pack.contents and not may_share_images(pack):
        raise SurveyError(
            f"Images of {pack.study['origin']['source']} may not be passed on. Export without them: who has them can "
            "import the data set with --images FOLDER."
        )
    name = str(pack.study["name"])
    files: dict[str, bytes] = {}
    for table in TABLES:
        content = _table(pack, table)
        files[_csv_name(name, table)] = _csv(content)
        files[f"data/parquet/{table}.parquet"] = _parquet(content)
    columns = {"model": [], "image": [], "features": []} | {
        key: list(values)
        for key, values in zip(("model", "image", "features"), zip(*pack.features, strict=True), strict=False)
    }
    files["data/parquet/features.parquet"] = _parquet(pa.table(columns, schema=_FEATURES))
    for row in pack.protocols:
        protocol = parse_protocol(row["content"])
        files[f"documentation/protocol-{row['version']}.json"] = row["content"].encode()
        files[f"documentation/protocol-{row['version']}.toml"] = to_toml(protocol).encode()
        for language in protocol.languages:
            text = f"Version {protocol.consent.version}\n\n{protocol.say(protocol.consent.text, language)}\n"
            files[f"documentation/consent-{row['version']}-{language}.txt"] = text.encode()
    suffix = {row["image"]: _SUFFIXES.get(row["media_type"], "") for row in pack.tables["images"]}
    number = {row["image"]: row["image_number"] for row in pack.tables["images"]}
    for image, content in pack.contents.items():
        files[f"materials/images/{number[image]:05d}{suffix[image]}"] = content
    kept = [{key: value for key, value in row.items() if key != "content"} for row in pack.protocols]
    files[STUDY] = _pretty({"format": FORMAT, "study": pack.study, "protocols": kept})
    present = parse_protocol(pack.protocols[-1]["content"])
    files[DESCRIPTION] = _pretty(_description(pack, present, authors, licence, citation))
    files["README.md"] = _readme(pack, present).encode()
    sums = [f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items())]
    return {**files, SUMS: "".join(sums).encode()}


def _description(
    pack: Pack, protocol: Protocol, authors: Sequence[str], licence: str | None, citation: str | None
) -> dict[str, Any]:
    language = protocol.languages[0]
    columns = {column: meaning for table in TABLES.values() for column, (_, meaning) in table.items()}
    about = protocol.say(protocol.description, language)
    described: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": protocol.say(protocol.title, language) or pack.study["name"],
        "description": about or "Emotions that volunteers saw in images of faces, and what models predicted.",
        "schemaVersion": "Psych-DS 0.4.0",
        "keywords": ["facial expression", "emotion", "label distribution"],
        "dateCreated": pack.study["created_on"],
        "measurementTechnique": f"Forced choice, made with ldlva {ldlva.__version__}",
        "variableMeasured": [
            {"@type": "PropertyValue", "name": column, "description": meaning} for column, meaning in columns.items()
        ],
    }
    if authors:
        described["author"] = [{"@type": "Person", "name": author} for author in authors]
    if licence:
        described["license"] = licence
    if citation:
        described["citation"] = citation
    return described


def _readme(pack: Pack, protocol: Protocol) -> str:
    counts = {name: len(rows) for name, rows in pack.tables.items()}
    images = (
        "The faces are in materials/images, named by image_number."
        if pack.contents
        else "The faces are not part of the data set; the table of images has their SHA-256."
    )
    return (
        f"# {protocol.say(protocol.title, protocol.languages[0])}\n\n"
        f"{counts['votes']} decisions of {counts['raters']} raters on {counts['images']} faces, and predictions of "
        f"{counts['models']} models. A Psych-DS data set (https://psych-ds.github.io); every column is explained in "
        f"{DESCRIPTION}. {images}\n\n"
        "Raters have numbers drawn for this data set, and times are days. Links, codes, participants' numbers and "
        f"invitations are not part of it. {pack.study['withdrawn']} volunteers took everything back and are not in "
        "it.\n\nRows with a date in taken_back_on, and rows of another kind than face, do not count for results.\n\n"
        "`python -m ldlva study import DIR` makes a study of it again; it refuses a data set that was changed "
        "(SHA256SUMS).\n"
    )


def _csv_name(study: str, table: str) -> str:
    """Psych-DS: keys of small letters, values of letters and digits."""
    return f"data/study-{re.sub(r'[^a-zA-Z0-9]', '', study) or 'study'}_description-{table}_data.csv"


def _table(pack: Pack, name: str) -> pa.Table:
    schema = pa.schema([(column, kind) for column, (kind, _) in TABLES[name].items()])
    return pa.Table.from_pylist(pack.tables[name], schema=schema)


def _csv(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pa_csv.write_csv(table, written)
    return written.getvalue()


def _parquet(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pq.write_table(table, written, compression="zstd")
    return written.getvalue()


def _pretty(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SurveyError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise SurveyError(f"{path} cannot be read: it holds no object.")
    return content


def _read_table(folder: Path, study: str, name: str) -> pa.Table:
    schema = pa.schema([(column, kind) for column, (kind, _) in TABLES[name].items()])
    table = pq.read_table(folder / f"data/parquet/{name}.parquet")
    if table.schema != schema:
        raise SurveyError(f"{folder}/data/parquet/{name}.parquet has other columns than this version reads.")
    csv = folder / _csv_name(study, name)
    if csv.read_bytes() != _csv(table):
        raise SurveyError(f"{csv} and data/parquet/{name}.parquet differ. Get the data set anew.")
    return table


def _check_sums(folder: Path) -> None:
    path = folder / SUMS
    try:
        listed = dict(line.split("  ", 1)[::-1] for line in path.read_text(encoding="utf-8").splitlines())
        present = {
            file.relative_to(folder).as_posix(): file
            for file in sorted(folder.rglob("*"))
            if not file.is_dir() and file != path
        }
        if any(file.is_symlink() for file in present.values()):
            raise SurveyError(f"{folder} holds links. Copy the data set with its files.")
    except (OSError, ValueError) as error:
        raise SurveyError(f"{folder} is not a data set of this product: {path} cannot be read ({error}).") from None
    for name, expected in listed.items():
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts:
            raise SurveyError(f"{path} lists {name!r}, which is outside the data set.")
        if name not in present:
            raise SurveyError(f"{folder / name} is missing. Get the data set anew.")
        if hashlib.sha256(present[name].read_bytes()).hexdigest() != expected:
            raise SurveyError(f"{folder / name} is damaged or was edited. Get the data set anew.")
    if unknown := sorted(set(present) - set(listed)):
        raise SurveyError(f"{folder / unknown[0]} is not part of the data set. Move it elsewhere.")
    for name in (STUDY, DESCRIPTION):
        if name not in listed:
            raise SurveyError(f"{folder} is not a data set of this product: {name} is not listed in {SUMS}.")


def _contents(folders: Sequence[Path], pack: Pack) -> dict[str, bytes]:
    """Image files by SHA-256, of those that the pack names."""
    wanted = {row["sha256"] for row in pack.tables["images"]}
    found: dict[str, bytes] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and len(found) < len(wanted):
                try:
                    content = path.read_bytes()
                except OSError as error:
                    raise SurveyError(f"{path} cannot be read: {error.strerror}.") from None
                digest = hashlib.sha256(content).hexdigest()
                if digest in wanted:
                    found[digest] = content
    return found
