"""A picture file as a study stores it: what people see and what models see are the same pixels, and nothing else.

Cameras store portraits sideways with a note to turn them, 16-bit or transparent pixels look different in a browser and
in a decoder, and photographs carry the place they were taken. All of it ends here, once, when a picture enters a study.
"""

from __future__ import annotations

import io
import warnings
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
        if not described and image.mode in ("L", "RGB") and max(image.size) <= LARGEST_SIDE:
            return NewImage(name, content, MEDIA_TYPES[encoding], image.width, image.height, label)
        image = plain_pixels(ImageOps.exif_transpose(image))
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SurveyError(f"{name} is not a whole JPEG, PNG or WebP picture ({error}).") from None
    written = io.BytesIO()
    encoding = "JPEG" if encoding == "JPEG" else "PNG"
    # Without these, Pillow copies what it read: profiles, comments, text.
    image.info.clear()
    image.save(written, encoding, **({"quality": 95} if encoding == "JPEG" else {"optimize": True}))
    return NewImage(name, written.getvalue(), MEDIA_TYPES[encoding], image.width, image.height, label)
