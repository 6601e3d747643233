"""A picture file as a study stores it: what people see and what models see are the same pixels, and nothing else.

Cameras store portraits sideways with a note to turn them, 16-bit or transparent pixels look different in a browser and
in a decoder, and photographs carry the place they were taken. All of it ends here, once, when a picture enters a study.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from ldlva.datasets.images import plain_pixels
from ldlva.errors import SurveyError
from ldlva.survey.records import NewImage

MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
LARGEST_SIDE = 1024
"""Larger pictures are reduced to this: a volunteer's phone shows no more, and waits for every byte."""

MOST_PIXELS = 50_000_000
"""A picture that claims more is refused before it is decoded."""

_HARMLESS = {
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "progressive", "progression", "interlace",
    "loop", "background", "timestamp", "duration",
}  # fmt: skip
"""Header fields without content; any other is a reason to write the file anew without it."""


def read_picture(path: Path, label: str | None = None) -> NewImage:
    """Read and normalise one picture file.

    Raises:
        SurveyError: missing, or not acceptable (see `normalise`).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SurveyError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return normalise(path.name, content, label)
    except SurveyError as error:
        raise SurveyError(f"{path.parent}: {error}") from None


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright, 8-bit grey or RGB, at its full size.

    Attributes:
        name: the file's name.
        image: its pixels.
        encoding: JPEG, PNG or WEBP.
        content: the file itself where it can be stored as it is, else None.
    """

    name: str
    image: Image.Image
    encoding: str
    content: bytes | None

    def with_pixels(self, image: Image.Image) -> Picture:
        """The same picture with other pixels, for example a part of it."""
        return Picture(self.name, image, self.encoding, None)


def normalise(name: str, content: bytes, label: str | None = None) -> NewImage:
    """Decode a picture wholly, so that a damaged one is found now and not by a volunteer, and bring it into form.

    Upright by its EXIF orientation, 8 bits, grey or RGB, transparency over mid-grey, no side above `LARGEST_SIDE`, no
    metadata. A file that is so already is kept byte for byte; others are written anew (JPEG at quality 95, else PNG).

    Args:
        name: the file's name, for messages and the study.
        content: the encoded file.
        label: the data set's own label, if it has one.

    Raises:
        SurveyError: not a whole JPEG, PNG or WebP picture, animated, or too large.
    """
    return encode(decode(name, content), label)


def decode(name: str, content: bytes) -> Picture:
    """The pixels of a picture file, read wholly.

    Raises:
        SurveyError: not a whole JPEG, PNG or WebP picture, animated, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(content), formats=list(MEDIA_TYPES))
        # Multi-picture JPEGs of phones hold a second view; the first is the photograph.
        encoding = "JPEG" if image.format == "MPO" else str(image.format)
        if image.width * image.height > MOST_PIXELS:
            raise SurveyError(
                f"{name} is {image.width} x {image.height}, larger than {MOST_PIXELS // 10**6} megapixels."
            )
        if image.format != "MPO" and getattr(image, "is_animated", False):
            raise SurveyError(f"{name} is animated. Give a still picture.")
        image.load()
        described = bool(set(image.info) - _HARMLESS) or image.format == "MPO" or bool(image.getexif())
        if not described and image.mode in ("L", "RGB"):
            return Picture(name, image, encoding, content if max(image.size) <= LARGEST_SIDE else None)
        return Picture(name, plain_pixels(ImageOps.exif_transpose(image)), encoding, None)
    except UnidentifiedImageError:  # its own words are an address in memory
        what = "not a whole JPEG, PNG or WebP picture" if content else "empty"
        raise SurveyError(f"{name} is {what}.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SurveyError(f"{name} is not a whole JPEG, PNG or WebP picture ({error}).") from None


def encode(picture: Picture, label: str | None = None) -> NewImage:
    """A picture as a study stores it; see `normalise`."""
    if picture.content is not None:
        media_type, (width, height) = MEDIA_TYPES[picture.encoding], picture.image.size
        return NewImage(picture.name, picture.content, media_type, width, height, label)
    image = picture.image.copy()
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    encoding = "JPEG" if picture.encoding == "JPEG" else "PNG"
    # Without these, Pillow copies what it read: profiles, comments, text.
    image.info.clear()
    image.save(written, encoding, **({"quality": 95} if encoding == "JPEG" else {"optimize": True}))
    return NewImage(picture.name, written.getvalue(), MEDIA_TYPES[encoding], image.width, image.height, label)


def thumbnail(content: bytes, side: int) -> tuple[bytes, str]:
    """A stored picture with no side above `side`, for lists of many: the encoded file and its media type."""
    with Image.open(io.BytesIO(content)) as image:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        written = io.BytesIO()
        image.save(written, "JPEG", quality=85)
    return written.getvalue(), "image/jpeg"
