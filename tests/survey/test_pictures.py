from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ldlva.errors import SurveyError
from ldlva.survey.pictures import LARGEST_SIDE, normalise
from tests.conftest import png

ORIENTATION, MAKER = 0x0112, 0x010F


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def test_a_plain_file_is_kept_byte_for_byte() -> None:
    for content in (png(1), encoded(Image.new("RGB", (60, 40)), "JPEG"), encoded(Image.new("RGB", (60, 40)), "WEBP")):
        assert normalise("a", content).content == content


def test_a_sideways_photograph_is_turned_and_its_metadata_dropped() -> None:
    picture = Image.new("RGB", (80, 40), "black")
    picture.paste("white", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn a quarter clockwise
    exif[MAKER] = "SecretCamera"
    stored = normalise("photo.jpg", encoded(picture, "JPEG", exif=exif))
    assert (stored.width, stored.height) == (40, 80)
    assert b"SecretCamera" not in stored.content
    grey = pixels(stored.content).mean(axis=2)
    assert grey[:30].mean() > 200 > 50 > grey[50:].mean()


def test_text_in_a_png_is_dropped() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "Jane Doe")
    content = encoded(Image.new("L", (48, 48), 7), "PNG", pnginfo=info)
    stored = normalise("a.png", content)
    assert b"Jane Doe" in content
    assert b"Jane Doe" not in stored.content
    assert (pixels(stored.content) == 7).all()


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    wide = Image.fromarray(np.full((10, 10), 127 * 257, dtype=np.uint16))
    assert (pixels(normalise("a.png", encoded(wide, "PNG")).content) == 127).all()


def test_transparency_is_laid_over_grey() -> None:
    stored = normalise("a.png", encoded(Image.new("RGBA", (10, 10), (255, 0, 0, 0)), "PNG"))
    assert (pixels(stored.content) == 128).all()


def test_a_large_picture_is_reduced() -> None:
    stored = normalise("a.jpg", encoded(Image.new("RGB", (3000, 1500)), "JPEG"))
    assert (stored.width, stored.height) == (LARGEST_SIDE, LARGEST_SIDE // 2)


def test_a_multi_picture_phone_photograph_is_its_first_view() -> None:
    first, second = Image.new("RGB", (40, 40), "white"), Image.new("RGB", (40, 40), "black")
    content = encoded(first, "MPO", save_all=True, append_images=[second])
    stored = normalise("phone.jpg", content)
    assert stored.media_type == "image/jpeg"
    assert pixels(stored.content).mean() > 250


def png_header(width: int, height: int) -> bytes:
    """A small file that claims to be large."""
    content = bytearray(png(1))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MZ\x90\x00 renamed program", "not a whole JPEG, PNG or WebP picture"),
        (b"", "is empty.$"),
        (b"<html>", "not a whole JPEG, PNG or WebP picture.$"),
        (png(1)[:300], "not a whole JPEG, PNG or WebP picture"),
        (png_header(40_000, 40_000), "40000 x 40000, larger than 50 megapixels|not a whole"),
        (png_header(9_000, 9_000), "9000 x 9000, larger than 50 megapixels"),
        (
            encoded(Image.new("L", (9, 9)), "PNG", save_all=True, append_images=[Image.new("L", (9, 9), 9)]),
            "is animated",
        ),
        (encoded(Image.new("L", (9, 9)), "BMP"), "not a whole JPEG, PNG or WebP picture"),
    ],
)
def test_what_is_no_still_picture_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(SurveyError, match=f"evil.png.*({message})"):
        normalise("evil.png", content)
