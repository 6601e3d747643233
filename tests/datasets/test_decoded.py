from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ldlva.datasets import decoded, load_dataset
from ldlva.datasets.decoded import ImageFile, decode_images
from ldlva.datasets.images import fit_image, resize_array
from ldlva.errors import DatasetError
from ldlva.settings import settings
from tests.conftest import FerPlusMaker
from tests.datasets.conftest import write_picture


def pictures(folder: Path, count: int = 5) -> list[ImageFile]:
    for i in range(count):
        write_picture(folder / f"{i}.png", i, (50 + i, 40))
    return [ImageFile(folder / f"{i}.png") for i in range(count)]


def maps() -> list[Path]:
    return sorted(settings().cache.glob("*"))


def test_images_are_those_that_prediction_makes(tmp_path: Path) -> None:
    files = pictures(tmp_path)
    for channels in (1, 3):
        images = decode_images(files, channels, 32)
        for file, image in zip(files, images, strict=True):
            with Image.open(file.path) as opened:
                np.testing.assert_array_equal(image, fit_image(opened, channels, 32))


def test_ferplus_at_its_own_size_is_the_files_own_pixels(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    for image_size in (None, 48):
        dataset = load_dataset(f"ferplus:{root}", "train", image_size=image_size)
        for name, image in zip(dataset.names, dataset.images, strict=True):
            np.testing.assert_array_equal(image, np.asarray(Image.open(root / "FER2013Train" / name)))


def test_the_real_ferplus_is_decoded_bit_by_bit_as_before(ferplus_folder: Path) -> None:
    dataset = load_dataset(f"ferplus:{ferplus_folder}", "valid", image_size=48)
    for name, image in zip(dataset.names, dataset.images, strict=True):
        with Image.open(ferplus_folder / "FER2013Valid" / name) as opened:
            assert image.tobytes() == np.asarray(opened.convert("L")).tobytes()


def test_built_in_faces_at_a_size_are_those_resized(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 1, (112, 112))
    row = {"name": "a", "split": "valid", "jpeg": (tmp_path / "a.jpg").read_bytes(), "valence": 0.0, "arousal": 0.0}
    table = pa.Table.from_pylist([row | {"expression_mixture": [0.0, 0.7, 0.3, 0.0, 0.0, 0.0, 0.0]}])
    pq.write_table(table, tmp_path / "training.parquet")
    native = load_dataset(f"faces:{tmp_path}", "valid")
    small = load_dataset(f"faces:{tmp_path}", "valid", image_size=48)
    assert native.images.shape == (1, 112, 112, 3)
    np.testing.assert_array_equal(resize_array(native.images, 48), small.images)


def test_the_second_time_nothing_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = pictures(tmp_path)
    first = decode_images(files, 3, 32)
    assert isinstance(first, np.memmap)
    monkeypatch.setattr(decoded, "decode", lambda *_: pytest.fail("decoded again"))
    second = decode_images(files, 3, 32)
    np.testing.assert_array_equal(first, second)
    assert not second.flags.writeable
    assert len(maps()) == 1


def test_changed_files_and_sizes_are_decoded_anew(tmp_path: Path) -> None:
    files = pictures(tmp_path)
    before = decode_images(files, 3, 32).copy()
    write_picture(files[2].path, 99, (50, 41))
    after = decode_images(files, 3, 32)
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [False, False, True, False, False]
    assert decode_images(files, 3, 16).shape == (5, 16, 16, 3)
    assert decode_images(files, 1, 16).shape == (5, 16, 16)
    boxed = [ImageFile(file.path, box=(0, 0, 20, 20)) for file in files]
    assert not np.array_equal(decode_images(boxed, 1, 16), decode_images(files, 1, 16))
    assert len(maps()) == 5


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "garbage"])
def test_a_damaged_map_is_made_anew(tmp_path: Path, damage: str) -> None:
    files = pictures(tmp_path)
    expected = decode_images(files, 3, 32).copy()
    [path] = maps()
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-100] ^= 1
    damaged = {"cut": content[:-7], "flipped": content, "empty": b"", "garbage": b"x" * len(content)}[damage]
    path.unlink()
    path.write_bytes(bytes(damaged))
    np.testing.assert_array_equal(decode_images(files, 3, 32), expected)
    assert maps() == [path]
    np.testing.assert_array_equal(np.load(path), expected)


def test_a_killed_or_failed_run_leaves_no_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = pictures(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DatasetError, match=r"No space left.*LDLVA_CACHE"):
            decode_images(files, 3, 32)
    assert maps() == []
    stale, fresh = settings().cache / ".old.part", settings().cache / ".new.part"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (0, 0))
    decode_images(files, 3, 32)
    assert not stale.exists()
    assert fresh.exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LDLVA_CACHE", str(tmp_path / "file" / "cache"))
    settings.cache_clear()
    with pytest.raises(DatasetError, match=r"Decoded images cannot be written to .*set LDLVA_CACHE"):
        decode_images(pictures(tmp_path), 3, 32)


def test_all_broken_files_are_reported_at_once(tmp_path: Path) -> None:
    files = pictures(tmp_path)
    for file in files[:4]:
        file.path.write_bytes(file.path.read_bytes()[:300])
    with pytest.raises(DatasetError, match=r"0\.png cannot be read.*1\.png.*2\.png.*and 1 more"):
        decode_images(files, 3, 32)
    assert maps() == []


def test_sideways_and_transparent_pictures_are_seen_as_people_see_them(tmp_path: Path) -> None:
    upright = np.zeros((30, 40, 3), np.uint8)
    upright[:10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to view
    Image.fromarray(np.rot90(upright)).save(tmp_path / "sideways.png", exif=exif)
    Image.fromarray(np.zeros((30, 40, 4), np.uint8)).save(tmp_path / "clear.png")
    images = decode_images([ImageFile(tmp_path / "sideways.png"), ImageFile(tmp_path / "clear.png")], 3, None)
    np.testing.assert_array_equal(images[0], upright)
    assert (images[1] == 128).all()
