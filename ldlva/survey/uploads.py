"""Picture files from a folder, a ZIP archive or one by one: what can be used, and why the rest cannot."""

from __future__ import annotations

import contextlib
import hashlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ldlva.errors import SurveyError
from ldlva.survey.face_finding import Cropper
from ldlva.survey.pictures import decode, encode
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
class Note:
    """Something to check about a picture that was kept."""

    name: str
    text: str


@dataclass(frozen=True)
class Upload:
    """The usable pictures, the files left out, what to check about the others, and what holds for all, if anything."""

    images: tuple[NewImage, ...]
    refused: tuple[Refusal, ...]
    notes: tuple[Note, ...] = ()
    warning: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All but the pictures, for a report."""
        return {
            "faces": len(self.images),
            "left_out": [[refusal.name, refusal.reason] for refusal in self.refused],
            "notes": [[note.name, note.text] for note in self.notes],
            "warning": self.warning,
        }


Source = Callable[[], tuple[str, bytes] | Refusal]
"""Reads one file when called: its name and content, or why it cannot be used."""


def read_upload(path: Path, cropper: Cropper | None = None, report: Callable[[int, int], None] | None = None) -> Upload:
    """Read every picture of a folder (not its sub-folders), of ZIP archives in it, of one archive, or a single file.

    A bad file is left out and reported by name; the others are kept. Archives are read in memory with bounds on what
    they may unpack to, so neither a ZIP bomb nor a path outside the archive does harm.

    Args:
        path: folder, archive or file.
        cropper: how to crop the pictures; None leaves them whole.
        report: called after every file with how many of how many are read.

    Raises:
        SurveyError: no such path, an archive that cannot be read at all, or no usable picture.
    """
    cropper = cropper or Cropper("none")
    with contextlib.ExitStack() as archives:
        sources: list[Source] = []
        if path.is_dir():
            for file in sorted(path.iterdir()):
                if file.is_file() and not file.name.startswith("."):
                    sources.extend(_sources(file, archives))
        elif path.is_file():
            sources = _members(path, archives) if zipfile.is_zipfile(path) else [partial(_read, path)]
        else:
            raise SurveyError(f"{path} is neither a folder nor a file.")
        upload = collect(sources, cropper, report)
    if not upload.images:
        reasons = "".join(f"\n- {refusal.name}: {refusal.reason}" for refusal in upload.refused[:10])
        raise SurveyError(f"{path} holds no picture that can be used (JPEG, PNG or WebP).{reasons}")
    return upload


def collect(sources: Sequence[Source], cropper: Cropper, report: Callable[[int, int], None] | None = None) -> Upload:
    """Decode, crop and normalise files; the same picture twice is kept once, under its first name.

    Whether two are the same is judged before cropping, by their pixels.
    """
    images: list[NewImage] = []
    refused: list[Refusal] = []
    notes: list[Note] = []
    first_name: dict[str, str] = {}
    for done, source in enumerate(sources, start=1):
        found = source()
        if isinstance(found, Refusal):
            refused.append(found)
        else:
            name, content = found
            try:
                image, note = _use(name, content, cropper, first_name)
            except SurveyError as error:
                refused.append(Refusal(name, str(error).removeprefix(f"{name} ")))
            else:
                images.append(image)
                notes.extend([] if note is None else [Note(name, note)])
        if report is not None:
            report(done, len(sources))
    return Upload(tuple(images), tuple(refused), tuple(notes), cropper.warning)


def _use(name: str, content: bytes, cropper: Cropper, first_name: dict[str, str]) -> tuple[NewImage, str | None]:
    """One file as a study takes it; `first_name` (digests of pictures to names) gains an entry."""
    if not name.isprintable():
        raise SurveyError(f"{name} has a name with characters that cannot be stored. Rename the file.")
    if name in first_name.values():
        raise SurveyError(f"{name} has the same name as another picture. Rename one.")
    picture = decode(name, content)
    pixels = hashlib.sha256(repr((picture.image.mode, picture.image.size)).encode() + picture.image.tobytes())
    if pixels.hexdigest() in first_name:
        raise SurveyError(f"{name} is the same picture as {first_name[pixels.hexdigest()]}.")
    cropped, note = cropper(picture)
    image = encode(cropped)
    stored = hashlib.sha256(image.content)
    if stored.hexdigest() in first_name:
        raise SurveyError(f"{name} is, after cropping, the same picture as {first_name[stored.hexdigest()]}.")
    first_name[pixels.hexdigest()] = first_name[stored.hexdigest()] = name
    return image, note


def _sources(path: Path, archives: contextlib.ExitStack) -> list[Source]:
    """One file of a folder, or what it holds if it is an archive."""
    # By its name: a photograph may carry something that looks like the end of an archive.
    if path.suffix.lower() != ".zip":
        return [partial(_read, path)]
    try:
        return _members(path, archives)
    except SurveyError as error:
        refusal = Refusal(path.name, str(error).removeprefix(f"{path} "))
        return [lambda: refusal]


def _read(path: Path) -> tuple[str, bytes] | Refusal:
    try:
        if path.stat().st_size > LARGEST_FILE:
            return Refusal(path.name, f"is larger than {LARGEST_FILE // 2**20} MB.")
        return path.name, path.read_bytes()
    except OSError as error:
        return Refusal(path.name, f"cannot be read: {error.strerror}.")


def _members(path: Path, open_archives: contextlib.ExitStack) -> list[Source]:
    """The files of an archive, which stays open until `open_archives` closes."""
    try:
        archive = open_archives.enter_context(zipfile.ZipFile(path))
    except (OSError, zipfile.BadZipFile) as error:
        raise SurveyError(f"{path} cannot be read as a ZIP archive: {error}.") from None
    unpacked = 0

    def read(member: zipfile.ZipInfo) -> tuple[str, bytes] | Refusal:
        nonlocal unpacked
        name = member.filename
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or not place.parts or ":" in place.parts[0]:
            return Refusal(name, "points outside the archive.")
        if stat.S_ISLNK(member.external_attr >> 16):
            return Refusal(name, "is a link, not a file.")
        if member.flag_bits & 0x1:
            return Refusal(name, "is encrypted.")
        content = _unpack(archive, member)
        if not isinstance(content, Refusal):
            unpacked += len(content[1])
        if unpacked > LARGEST_ARCHIVE:
            raise SurveyError(f"{path} unpacks to more than {LARGEST_ARCHIVE // 2**30} GB. Split it.")
        return content

    members = archive.infolist()
    return [
        partial(read, member)
        for member in members
        if not member.is_dir() and not any(part in member.filename for part in _SIDE_FILES)
    ]


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
