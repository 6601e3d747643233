from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldlva.errors import SurveyError
from ldlva.survey import uploads
from ldlva.survey.face_finding import Cropper
from ldlva.survey.uploads import read_upload
from tests.conftest import png


def refused(path: Path) -> dict[str, str]:
    return {refusal.name: refusal.reason for refusal in read_upload(path).refused}


def test_a_folder_gives_its_pictures_and_names_the_rest(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png(1))
    (tmp_path / "a.PNG").write_bytes(png(2))
    (tmp_path / "copy.png").write_bytes(png(1))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "cut.jpg").write_bytes(png(3)[:200])
    (tmp_path / ".hidden").write_text("x")
    upload = read_upload(tmp_path)
    assert [image.name for image in upload.images] == ["a.PNG", "b.png"]
    assert set(refused(tmp_path)) == {"copy.png", "notes.txt", "cut.jpg"}
    assert refused(tmp_path)["copy.png"] == "is the same picture as b.png."


def test_a_single_file_will_do(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(2))
    assert [image.name for image in read_upload(tmp_path / "a.png").images] == ["a.png"]


def test_an_archive_gives_its_pictures_and_refuses_what_is_dangerous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LARGEST_FILE", 100_000)
    path = tmp_path / "faces.zip"
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one/1.png", png(1))
        archive.writestr("two/1.png", png(2))
        archive.writestr("../outside.png", png(3))
        archive.writestr("/absolute.png", png(4))
        archive.writestr("C:\\windows.png", png(5))
        archive.writestr("bomb.png", b"\0" * 10_000_000)
        archive.writestr("program.png", b"MZ\x90\x00" * 50)
        archive.writestr("__MACOSX/._1.png", b"side file")
        archive.writestr(link, "/etc/passwd")
    upload = read_upload(path)
    assert [image.name for image in upload.images] == ["one/1.png", "two/1.png"]
    reasons = refused(path)
    outside = [name for name, reason in reasons.items() if reason == "points outside the archive."]
    assert sorted(re.split(r"[/\\]", name)[-1] for name in outside) == ["absolute.png", "outside.png", "windows.png"]
    assert reasons["link.png"] == "is a link, not a file."
    assert "unpacks to more than" in reasons["bomb.png"]
    assert "not a whole" in reasons["program.png"]
    assert not (tmp_path.parent / "outside.png").exists()


def test_an_archive_of_archives_worth_of_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST_ARCHIVE", 5_000)
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(5):
            archive.writestr(f"{i}.png", png(i))
    with pytest.raises(SurveyError, match="unpacks to more than"):
        read_upload(path)


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.png", png(1))
        archive.writestr("bad.png", png(2))
    content = bytearray(path.read_bytes())
    start = content.index(png(2)[:60])
    content[start + 100 : start + 110] = b"\0" * 10
    path.write_bytes(bytes(content))
    assert "cannot be unpacked" in refused(path)["bad.png"]


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="holds no picture"):
        read_upload(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(SurveyError, match=r"a\.txt: is not a whole"):
        read_upload(tmp_path)
    with pytest.raises(SurveyError, match="neither a folder nor a file"):
        read_upload(tmp_path / "nowhere")


def test_folders_inside_a_folder_are_not_read(tmp_path: Path) -> None:
    """As the New-study form and the documentation say."""
    (tmp_path / "inner").mkdir()
    for seed, name in enumerate(("a.png", "inner/b.png")):
        (tmp_path / name).write_bytes(png(seed))
    assert [image.name for image in read_upload(tmp_path).images] == ["a.png"]


def test_archives_in_a_folder_are_opened_and_the_same_name_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png(1))
    with zipfile.ZipFile(tmp_path / "more.ZIP", "w") as archive:
        archive.writestr("a.png", png(2))
        archive.writestr("b.png", png(3))
        archive.writestr("new\nline.png", png(4))
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    upload = read_upload(tmp_path)
    assert [image.name for image in upload.images] == ["b.png", "a.png"]
    reasons = refused(tmp_path)
    assert reasons["b.png"] == "has the same name as another picture. Rename one."
    assert "cannot be read as a ZIP archive" in reasons["cut.zip"]
    assert "characters that cannot be stored" in reasons["new\nline.png"]


def test_duplicates_are_judged_by_pixels_before_cropping(tmp_path: Path) -> None:
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8))
    for name, level in (("a.png", 1), ("b.png", 9)):
        wide.save(tmp_path / name, compress_level=level)
    border = wide.copy()
    border.paste(0, (0, 0, 5, 40))
    border.save(tmp_path / "c.png")
    steps: list[tuple[int, int]] = []
    upload = read_upload(tmp_path, Cropper("centre"), lambda done, total: steps.append((done, total)))
    assert [(image.name, image.width) for image in upload.images] == [("a.png", 40)]
    assert upload.to_json()["left_out"] == [
        ["b.png", "is the same picture as a.png."],
        ["c.png", "is, after cropping, the same picture as a.png."],
    ]
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_pictures_to_check_are_named(tmp_path: Path) -> None:
    (tmp_path / "noise.png").write_bytes(png(1))
    [note] = read_upload(tmp_path, Cropper("face")).notes
    assert note.name == "noise.png"
    assert "check it" in note.text
