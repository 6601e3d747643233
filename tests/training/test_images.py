from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ldlva.datasets.images import fit_image
from ldlva.training import images


def test_grey_and_colour_become_channels_first_floats() -> None:
    assert images.to_input(np.zeros((2, 8, 8), np.uint8)).shape == (2, 1, 8, 8)
    colour = images.to_input(np.full((2, 8, 8, 3), 255, np.uint8))
    assert colour.shape == (2, 3, 8, 8)
    assert float(colour.max()) == pytest.approx(2.0)


def test_a_piece_of_a_read_only_memory_map_becomes_floats_without_a_warning(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((4, 8, 8), 255, np.uint8))
    stored = np.load(tmp_path / "a.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(images.to_input(stored[1:3]).mean()) == pytest.approx(2.0)


def test_flip_mirrors_about_half_of_the_images() -> None:
    torch.manual_seed(0)
    batch = torch.arange(4.0).expand(400, 1, 4, 4)
    flipped = images.random_flip(batch)
    mirrored = (flipped == batch.flip(-1)).all(dim=(1, 2, 3))
    kept = (flipped == batch).all(dim=(1, 2, 3))
    assert bool((mirrored | kept).all())
    assert 150 < int(mirrored.sum()) < 250


def test_shift_moves_by_at_most_the_padding_and_keeps_the_size() -> None:
    torch.manual_seed(0)
    batch = torch.zeros(200, 1, 16, 16)
    batch[:, :, 8, 8] = 1
    shifted = images.random_shift(batch, pad=2)
    rows = shifted.amax(dim=3).argmax(dim=2).flatten()
    assert shifted.shape == batch.shape
    assert set(rows.tolist()) == {6, 7, 8, 9, 10}


def test_erasing_replaces_a_rectangle_of_allowed_area_in_about_half() -> None:
    torch.manual_seed(0)
    batch = torch.full((400, 1, 48, 48), 99.0)
    changed = (images.random_erase(batch) != 99).flatten(1).float().mean(dim=1)
    hit = changed > 0
    assert 150 < int(hit.sum()) < 250
    assert float(changed.max()) < 0.36
    assert float(changed[hit].min()) > 0.005


def test_a_wide_colour_picture_is_cropped_at_its_centre() -> None:
    picture = Image.new("RGB", (100, 50), "black")
    picture.paste("white", (25, 0, 75, 50))
    grey = fit_image(picture, 1, 32)
    assert grey.shape == (32, 32)
    assert grey.min() == 255
    assert fit_image(picture, 3, 32).shape == (32, 32, 3)
