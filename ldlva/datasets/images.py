"""One picture of any size and mode to the pixels a network gets; the same for training, evaluation and prediction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

ImageArray = npt.NDArray[np.uint8]

_BACKGROUND = (128, 128, 128)


def fit_image(image: Image.Image, channels: int, size: int | None) -> ImageArray:
    """One picture of any size and mode as the network expects it: grey or RGB, centre-cropped to a square, resized.

    Args:
        image: the picture.
        channels: 1 for grey, 3 for RGB.
        size: side in pixels; None: neither cropped nor resized.

    Returns:
        uint8 `[size, size]` for one channel, `[size, size, 3]` for three (antialiased bilinear).
    """
    image = image.convert("L" if channels == 1 else "RGB")
    if size is None:
        return np.asarray(image)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    if side != size:
        square = square.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square)


def resize_array(images: ImageArray, size: int | None) -> ImageArray:
    """`fit_image` for every image of an array; the array itself if its images have that size or `size` is None."""
    if size is None or images.shape[1:3] == (size, size):
        return images
    return np.stack([fit_image(Image.fromarray(image), 1 if images.ndim == 3 else 3, size) for image in images])


def is_grey(image: Image.Image) -> bool:
    """Whether a picture's file holds no colour: its mode says so, its pixels are not looked at."""
    return image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")


def plain_pixels(image: Image.Image) -> Image.Image:
    """8-bit grey or RGB without transparency: what a browser shows over mid-grey."""
    if image.mode.startswith("I"):
        wide = np.asarray(image, dtype=np.float64)
        return Image.fromarray((wide / (257 if wide.max() > 255 else 1)).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, (*_BACKGROUND, 255))
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "L" else image.convert("L" if image.mode in ("1", "F") else "RGB")
