"""Every fault of a file is named, and a good one ends up beside the other models."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey.prediction_files import read_predictions, store_imported, write_predictions
from ldlva.survey.records import NewModel, NewStudy
from ldlva.survey.repository import Repository
from tests.conftest import pictures

LABELS = ("happiness", "fear")
IMAGES = ("a.png", "b.png", "c.png")
GOOD = "image,fear,happiness\na.png,0.25,0.75\nb.png,1,0\nc.png,0.333,0.667\n"


def read(text: str, partial: bool = False) -> object:
    return read_predictions(io.BytesIO(text.encode()), "p.csv", LABELS, IMAGES, partial)


def test_columns_are_found_by_name_in_csv_and_parquet(tmp_path: Path) -> None:
    found = read_predictions(io.BytesIO(GOOD.encode()), "p.csv", LABELS, IMAGES)
    np.testing.assert_allclose(found.probabilities, np.array([[0.75, 0.25], [0.0, 1.0], [0.667, 0.333]]))
    assert found.images == IMAGES
    assert found.rescaled == 0
    table = pa.table({"name": IMAGES, "happiness": [0.75, 0.0, 0.667], "fear": [0.25, 1.0, 0.333]})
    pq.write_table(table, tmp_path / "p.parquet")
    again = read_predictions(tmp_path / "p.parquet", "p.parquet", LABELS, IMAGES)
    np.testing.assert_array_equal(again.probabilities, found.probabilities)


def test_rounded_rows_are_rescaled_and_counted_and_images_of_no_interest_passed_over() -> None:
    found = read_predictions(
        io.BytesIO((GOOD + "z.png,0.5,0.5\n").replace("0.25,0.75", "0.25,0.745").encode()), "p.csv", LABELS, IMAGES
    )
    assert (found.rescaled, found.unknown) == (1, ("z.png",))
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("b.png,1,0\n", ""), "1 of the study's 3 images are missing: b.png"),
        (GOOD.replace("0.25,0.75", "0.25,0.5"), r"rows that do not sum to one: a.png \(0.75\)"),
        (GOOD.replace("0.25,0.75", "-0.25,1.25"), "negative values for a.png; logits"),
        (GOOD.replace("0.25,0.75", ",0.75"), "empty or infinite values .NaN. for a.png"),
        (GOOD.replace("0.25,0.75", "nan,0.75"), "empty or infinite values .NaN. for a.png"),
        (GOOD.replace("b.png,", "a.png,"), "images given twice: a.png"),
        (GOOD.replace("fear", "joy"), "no column for fear; the study's labels are happiness, fear"),
        (GOOD.replace("fear", "joy"), "columns that are no label of the study: joy"),
        (GOOD.replace("image", "picture"), "needs one column with the images' file names"),
        (GOOD.replace("0.25", "much"), "the column fear holds something that is no number"),
        ("image,fear,happiness\nx.png,0.5,0.5\n", "no image of the study is in it"),
        ("", "cannot be read as CSV"),
    ],
)
def test_every_fault_is_named(text: str, said: str) -> None:
    with pytest.raises(SurveyError, match=said):
        read(text)


def test_several_faults_are_named_at_once() -> None:
    with pytest.raises(SurveyError) as caught:
        read("image,fear,happiness\na.png,2,2\nb.png,-1,2\n")
    assert "3 faults; nothing was stored" in str(caught.value)


def test_missing_images_may_be_accepted() -> None:
    found = read_predictions(io.BytesIO(GOOD.replace("b.png,1,0\n", "").encode()), "p.csv", LABELS, IMAGES, True)
    assert (found.images, found.missing) == (("a.png", "c.png"), ("b.png",))


def test_a_file_that_is_no_parquet_is_named() -> None:
    with pytest.raises(SurveyError, match="cannot be read as Parquet"):
        read_predictions(io.BytesIO(b"not parquet"), "p.parquet", LABELS, IMAGES)


def stored(repository: Repository, name: str, study: str = "demo", replace: bool = False) -> None:
    summary = repository.study(study)
    images = repository.votes(summary).image_names
    rows = "".join(f"{image},{','.join(['0.4', *['0.1'] * 6])}\n" for image in images)
    text = f"image,{','.join(EMOTION_NAMES)}\n{rows}"
    found = read_predictions(io.BytesIO(text.encode()), "p.csv", summary.labels, images)
    store_imported(repository, summary, name, found, replace)


def test_imports_are_stored_for_several_studies_and_replaced_only_on_request(repository: Repository) -> None:
    repository.create_study(NewStudy("demo", "Demo"), pictures(2))
    repository.create_study(NewStudy("other", "Other"), pictures(3))
    stored(repository, "outside")
    stored(repository, "outside", "other")
    [model] = repository.predictions(repository.study("demo"))
    assert (model.name, model.method, model.labels) == ("outside", "outside", EMOTION_NAMES)
    np.testing.assert_allclose(model.probabilities, [[0.4] + [0.1] * 6] * 2)
    with pytest.raises(SurveyError, match="has predicted “Demo” already"):
        stored(repository, "outside")
    stored(repository, "outside", replace=True)
    assert len(repository.predictions(repository.study("other"))) == 1


def test_a_trained_models_name_is_not_taken(repository: Repository) -> None:
    repository.create_study(NewStudy("demo", "Demo"), pictures(2))
    ids = repository.votes(repository.study("demo")).image_ids
    trained = NewModel("ours", "ce", "resnet18", EMOTION_NAMES, "x" * 64, {})
    repository.store_predictions(trained, ids, np.full((2, 7), 1 / 7), np.zeros((2, 4)))
    with pytest.raises(SurveyError, match="trained here"):
        stored(repository, "ours")
    with pytest.raises(SurveyError, match="1 to 120"):
        stored(repository, "  ")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_exported_can_be_imported_elsewhere(sqlite_repository: Repository, tmp_path: Path, ending: str) -> None:
    for name in ("demo", "elsewhere"):
        sqlite_repository.create_study(NewStudy(name, name), pictures(3))
    demo, elsewhere = (sqlite_repository.study(name) for name in ("demo", "elsewhere"))
    ids = sqlite_repository.votes(demo).image_ids
    predicted = np.random.default_rng(0).dirichlet(np.ones(7), 2)
    trained = NewModel("ours", "ce", "resnet18", EMOTION_NAMES, "x" * 64, {})
    sqlite_repository.store_predictions(trained, ids[1:], predicted, np.zeros((2, 4)))
    file = tmp_path / f"ours.{ending}"
    assert write_predictions(file, sqlite_repository, demo, "ours") == 2
    names = sqlite_repository.votes(elsewhere).image_names
    found = read_predictions(file, file.name, elsewhere.labels, names, partial=True)
    assert (found.images, found.missing) == (tuple(names[1:]), (names[0],))
    np.testing.assert_allclose(found.probabilities, predicted, atol=1e-6)
    with pytest.raises(SurveyError, match="exists already"):
        write_predictions(file, sqlite_repository, demo, "ours")
    with pytest.raises(SurveyError, match="'theirs' has not predicted"):
        write_predictions(tmp_path / "x.csv", sqlite_repository, demo, "theirs")
    with pytest.raises(SurveyError, match="cannot be written"):
        write_predictions(tmp_path / "no" / f"x.{ending}", sqlite_repository, demo, "ours")
