"""Picture files from a folder, a ZIP archive or one by one: what can be used, and why the rest cannot."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ldlva.errors import SurveyError
from ldlva.survey.pictures import normalise
from ldlva.survey.records import NewImage

LARGEST_FILE = 64 * 2**20
LARGEST_ARCHIVE = 2 * 2**30
"""Bytes: of one file, and of all files of an archive after unpacking."""

_SIDE_FILES = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Refusal:
    """A file that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Upload:
    """The usable pictures, and the files left out."""

    images: tuple[NewImage, ...]
    refused: tuple[Refusal, ...]


def read_upload(path: Path) -> Upload:
    """Read every picture of a folder (not its sub-folders), a ZIP archive, or a single file.

    A bad file is left out and reported by name; the others are kept. Archives are read in memory with bounds on what
    they may unpack to, so neither a ZIP bomb nor a path outside the archive does harm.

    Raises:
        SurveyError: no such path, an archive that cannot be read at all, or no usable picture.
    """
    files: Iterable[tuple[str, bytes] | Refusal]
    if path.is_dir():
        files = (_read(file) for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith("."))
    elif path.is_file():
        files = _unzip(path) if zipfile.is_zipfile(path) else [_read(path)]
    else:
        raise SurveyError(f"{path} is neither a folder nor a file.")
    upload = collect(files)
    if not upload.images:
        reasons = "".join(f"\n- {refusal.name}: {refusal.reason}" for refusal in upload.refused[:10])
        raise SurveyError(f"{path} holds no picture that can be used (JPEG, PNG or WebP).{reasons}")
    return upload


def collect(files: Iterable[tuple[str, bytes] | Refusal]) -> Upload:
    """Normalise files given as (name, content); the same picture twice is kept once, under its first name."""
    images: list[NewImage] = []
    refused: list[Refusal] = []
    first_name: dict[str, str] = {}
    for file in files:
        if isinstance(file, Refusal):
            refused.append(file)
            continue
        name, content = file
        try:
            image = normalise(name, content)
        except SurveyError as error:
            refused.append(Refusal(name, str(error).removeprefix(f"{name} ")))
            continue
        digest = hashlib.sha256(image.content).hexdigest()
        if digest in first_name:
            refused.append(Refusal(name, f"is the same picture as {first_name[digest]}."))
            continue
        first_name[digest] = name
        images.append(image)
    return Upload(tuple(images), tuple(refused))


def _read(path: Path) -> tuple[str, bytes] | Refusal:
    try:
        if path.stat().st_size > LARGEST_FILE:
            return Refusal(path.name, f"is larger than {LARGEST_FILE // 2**20} MB.")
        return path.name, path.read_bytes()
    except OSError as error:
        return Refusal(path.name, f"cannot be read: {error.strerror}.")


def _unzip(path: Path) -> Iterator[tuple[str, bytes] | Refusal]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise SurveyError(f"{path} cannot be read as a ZIP archive: {error}.") from None
    unpacked = 0
    with archive:
        for member in archive.infolist():
            name = member.filename
            if member.is_dir() or any(part in name for part in _SIDE_FILES):
                continue
            place = PurePosixPath(name.replace("\\", "/"))
            if place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
                yield Refusal(name, "points outside the archive.")
            elif stat.S_ISLNK(member.external_attr >> 16):
                yield Refusal(name, "is a link, not a file.")
            elif member.flag_bits & 0x1:
                yield Refusal(name, "is encrypted.")
            else:
                content = _unpack(archive, member)
                if not isinstance(content, Refusal):
                    unpacked += len(content[1])
                if unpacked > LARGEST_ARCHIVE:
                    raise SurveyError(f"{path} unpacks to more than {LARGEST_ARCHIVE // 2**30} GB. Split it.")
                yield content


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, bytes] | Refusal:
    # The size an archive states may be a lie: read one byte past the bound and see.
    try:
        with archive.open(member) as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        return Refusal(member.filename, f"cannot be unpacked: {error}.")
    if len(content) > LARGEST_FILE:
        return Refusal(member.filename, f"unpacks to more than {LARGEST_FILE // 2**20} MB.")
    return member.filename, content
