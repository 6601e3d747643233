"""Images decoded once into a memory map: 300,000 faces neither fit into memory nor are worth decoding every run.

The map lies in the folder that `LDLVA_CACHE` names. Its name is a fingerprint of the files it was made of (paths,
sizes, modification times, crops, target size) and a checksum of its own content: changed files give another name, a
damaged map is noticed and made anew, and one that was not finished never has its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ldlva.datasets.images import ImageArray, fit_image, is_grey, plain_pixels
from ldlva.errors import DatasetError
from ldlva.settings import settings

DECODING = 1
"""Counted up whenever decoding changes, so that maps made by an older version are not used."""

WINDOW = 1024
"""Images decoded before they are written: what is held in memory at once."""

STALE_SECONDS = 24 * 3600
"""A scratch file untouched for this long belongs to a process that was killed."""

NAMED_FAULTS = 3
"""Faulty files named in one message; the rest are counted."""


@dataclass(frozen=True)
class ImageFile:
    """One picture to decode.

    Attributes:
        path: the file.
        listed: where the data set lists it, for messages, e.g. `labels.csv, line 7`; empty if nowhere.
        box: left, top, right, bottom in pixels, the face in a larger picture; None: the whole.
    """

    path: Path
    listed: str = ""
    box: tuple[int, int, int, int] | None = None

    def describe(self) -> str:
        return f"{self.path} (listed in {self.listed})" if self.listed else str(self.path)


def decode_images(files: Sequence[ImageFile], channels: int, image_size: int | None) -> ImageArray:
    """All pictures as one read-only memory map, decoded now or by an earlier run.

    Args:
        files: N >= 1 pictures.
        channels: 1 for grey, 3 for RGB.
        image_size: side of the square that every picture is cropped and resized to; None: as they are, all alike.

    Returns:
        uint8 `[N, S, S]` or `[N, S, S, 3]`; with `image_size` None `[N, H, W(, 3)]`.

    Raises:
        DatasetError: files are missing or unreadable (the first are named), differ in size although no size was
            asked for, or the cache folder cannot be written.
    """
    key = _fingerprint(files, channels, image_size)
    folder = settings().cache.expanduser()
    shape = _shape(files, channels, image_size)
    for path in sorted(folder.glob(f"{key}-*.npy")):
        if (images := _open(path, shape)) is not None:
            return images
    path = _write(folder, key, files, channels, image_size, shape)
    images = _open(path, shape)
    if images is None:
        raise DatasetError(f"The decoded images at {path} cannot be read back. Check the disk, or set LDLVA_CACHE.")
    return images


def decode(file: ImageFile, channels: int, image_size: int | None) -> ImageArray:
    """One picture: upright by its EXIF orientation, cut to its box, fitted.

    Raises:
        Exception: whatever Pillow says about a damaged file; ValueError for a box outside the picture.
    """
    with Image.open(file.path) as opened:
        image = plain_pixels(ImageOps.exif_transpose(opened))
    if file.box is not None:
        left, top, right, bottom = file.box
        box = (max(0, left), max(0, top), min(image.width, right), min(image.height, bottom))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise ValueError(f"the face box {file.box} lies outside the picture of {image.width} x {image.height}")
        image = image.crop(box)
    return fit_image(image, channels, image_size)


def common_channels(paths: Iterable[Path]) -> int:
    """1 if every picture file is grey, 3 as soon as one is in colour. Reads headers only."""
    for path in paths:
        try:
            with Image.open(path) as image:
                if not is_grey(image):
                    return 3
        except Exception as error:  # Pillow raises whatever the damaged byte leads to
            raise DatasetError(_unreadable([(str(path), error)])) from None
    return 1


def _fingerprint(files: Sequence[ImageFile], channels: int, image_size: int | None) -> str:
    digest = hashlib.sha256(f"{DECODING} {channels} {image_size}\n".encode())
    missing: list[ImageFile] = []
    for file in files:
        try:
            status = file.path.stat()
        except OSError:
            missing.append(file)
            continue
        line = f"{os.path.abspath(file.path)} {status.st_size} {status.st_mtime_ns} {file.box}\n"  # noqa: PTH100
        digest.update(line.encode(errors="surrogateescape"))
    if missing:
        others = f", and {len(missing) - 1} more files" if len(missing) > 1 else ""
        place = missing[0].listed or "the labels"
        raise DatasetError(
            f"{missing[0].path} is listed in {place} but missing{others}. Unpack the data set again, or remove the row."
        )
    return digest.hexdigest()[:32]


def _shape(files: Sequence[ImageFile], channels: int, image_size: int | None) -> tuple[int, ...]:
    if image_size is None:
        first = _try_to_decode(files[0], 1, None)
        if isinstance(first, Exception):
            raise DatasetError(_unreadable([(files[0].describe(), first)]))
        side = first.shape
    else:
        side = (image_size, image_size)
    return (len(files), *side) if channels == 1 else (len(files), *side, 3)


def _open(path: Path, shape: tuple[int, ...]) -> ImageArray | None:
    """The finished map, or None if it is not whole."""
    try:
        images = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    whole = images.shape == shape and images.dtype == np.uint8 and path.stem.endswith(f"-{_checksum(images):08x}")
    return images if whole else None


def _checksum(images: ImageArray) -> int:
    checksum = 0
    for start in range(0, len(images), WINDOW):
        checksum = zlib.crc32(images[start : start + WINDOW].data, checksum)
    return checksum


def _write(
    folder: Path, key: str, files: Sequence[ImageFile], channels: int, image_size: int | None, shape: tuple[int, ...]
) -> Path:
    faults: list[tuple[str, Exception]] = []
    checksum = 0
    with _scratch(folder, key, shape) as scratch:
        with scratch.open("wb") as target, ThreadPoolExecutor(os.cpu_count()) as pool:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(target, header)
            for start in range(0, len(files), WINDOW):
                window = files[start : start + WINDOW]
                decoded = list(pool.map(lambda file: _try_to_decode(file, channels, image_size), window))
                for file, image in zip(window, decoded, strict=True):
                    if isinstance(image, Exception):
                        faults.append((file.describe(), image))
                    elif image.shape != shape[1:]:
                        raise DatasetError(
                            f"{file.describe()} is {image.shape[1]} x {image.shape[0]} pixels, the first image is "
                            f"{shape[2]} x {shape[1]}. Give a size in pixels to bring all to (--image-size)."
                        )
                    elif not faults:
                        content = image.tobytes()
                        checksum = zlib.crc32(content, checksum)
                        target.write(content)
            if faults:
                raise DatasetError(_unreadable(faults))
            target.flush()
            os.fsync(target.fileno())
        path = folder / f"{key}-{checksum:08x}.npy"
        scratch.replace(path)
    return path


def _try_to_decode(file: ImageFile, channels: int, image_size: int | None) -> ImageArray | Exception:
    # Faults are collected: somebody with 300,000 files should hear of all broken ones in one go.
    try:
        return decode(file, channels, image_size)
    except Exception as error:  # Pillow raises whatever the damaged byte leads to
        return error


@contextlib.contextmanager
def _scratch(folder: Path, key: str, shape: tuple[int, ...]) -> Iterator[Path]:
    """A file to write to, gone afterwards unless it was moved to its place.

    Raises:
        DatasetError: the folder cannot be written.
    """
    scratch = folder / f".{key}.{uuid.uuid4().hex[:8]}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.part"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > STALE_SECONDS:
                    left.unlink()
        yield scratch
    except OSError as error:
        need = int(np.prod(shape)) / 2**30
        raise DatasetError(
            f"Decoded images cannot be written to {folder} ({error.strerror or error}). They need {need:.2f} GiB: make "
            "room, or set LDLVA_CACHE to another folder."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)


def _unreadable(faults: Sequence[tuple[str, Exception]]) -> str:
    named = "; ".join(f"{file} cannot be read as an image ({error})" for file, error in faults[:NAMED_FAULTS])
    others = f"; and {len(faults) - NAMED_FAULTS} more" if len(faults) > NAMED_FAULTS else ""
    return f"{named}{others}. Unpack the data set again, or remove what cannot be read from its labels."
