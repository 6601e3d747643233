"""From features to a stored map: what is written, read, drawn, cached, and refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ldlva.embedding import drawing
from ldlva.embedding.cache import MOST_ENTRIES, cached, folder, prune
from ldlva.embedding.contact_sheet import COLUMNS, PER_SHEET, TILE, contact_sheets
from ldlva.embedding.drawing import Faces, ModelView, draw, sample
from ldlva.embedding.embedding import CONTENT, Embedding, read, write
from ldlva.embedding.figures import ENTROPY, colourings, colours, embedding_svg, ramp
from ldlva.emotions import EMOTION_NAMES, EMOTIONS
from ldlva.errors import ProjectionError
from ldlva.jobs import ProgressFile


def some_faces(count: int = 30, votes: bool = True) -> Faces:
    labels = np.arange(count) % 3
    counts = np.zeros((count, 7), dtype=np.int64)
    counts[np.arange(count), labels] = 7
    counts[np.arange(count), (labels + 1) % 7] = 3
    counts[0] = 0
    names = tuple(f"face{number:02d}.png" for number in range(count))
    return Faces("study:s", "S", names, labels, counts=counts if votes else None, reference="votes" if votes else "")


def a_view(count: int = 30, name: str = "ce", seed: int = 0) -> ModelView:
    rng = np.random.default_rng(seed)
    features = (rng.normal(size=(count, 8)) + 3 * np.eye(8)[np.arange(count) % 3]).astype(np.float32)
    return ModelView(name, "ce", "0" * 64, features, rng.dirichlet(np.ones(7), count))


def drawn(faces: Faces | None = None, cache: Any = lambda kind, key, compute: compute()) -> Embedding:
    return draw(
        faces or some_faces(), [a_view(), a_view(name="ldlva", seed=1)], 5, 0, 1, [3], ProgressFile(None), cache
    )


def test_a_map_survives_being_written_and_read(tmp_path: Path) -> None:
    embedding = drawn()
    write(embedding, [b"jpeg"], "<svg/>", tmp_path / "map")
    assert read(tmp_path / "map") == (embedding, [b"jpeg"])
    with pytest.raises(ProjectionError, match="is not empty"):
        write(embedding, [b"jpeg"], "<svg/>", tmp_path / "map")
    write(embedding, [b"other"], "<svg/>", tmp_path / "map", replace=True)
    assert read(tmp_path / "map") == (embedding, [b"other"])
    (tmp_path / "map" / "sheet-0.jpg").unlink()
    assert read(tmp_path / "map") is None
    content = json.loads((tmp_path / "map" / CONTENT).read_text())
    (tmp_path / "map" / CONTENT).write_text(json.dumps(content | {"format": 0}))
    assert read(tmp_path / "map") is None


def test_replacing_never_removes_a_folder_that_is_no_map(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ProjectionError, match="is not empty"):
        write(drawn(), [], "<svg/>", tmp_path, replace=True)
    assert (tmp_path / "thesis.txt").exists()


def test_the_present_folder_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for replace in (False, True):
        for place in (".", "/"):
            with pytest.raises(ProjectionError, match="is not empty, or the present one"):
                write(drawn(), [], "<svg/>", Path(place), replace)
    assert not list(tmp_path.iterdir())


def test_a_map_holds_what_people_and_models_said() -> None:
    embedding = drawn()
    assert embedding.groupings == ["label", "majority"]
    assert embedding.majorities[:4] == [-1, 1, 2, 0]
    assert embedding.entropies[0] is None
    assert embedding.entropies[1] == pytest.approx(-0.7 * np.log(0.7) - 0.3 * np.log(0.3), abs=5e-4)
    assert embedding.votes[:2] == [0, 10]
    first = embedding.panels[0]
    assert first.choices == a_view().probabilities.argmax(axis=1).tolist()
    assert set(first.separation) == {"label", "majority"}
    assert first.separation["majority"].faces == 29
    numbers = embedding.numbers()
    assert json.loads(json.dumps(numbers))["models"]["ldlva"]["separation"]["label"]["silhouette"]["mean"] > 0.3


def test_numbers_rest_on_faces_that_were_not_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FEWEST_HELD_OUT", 10)
    known = some_faces()
    parts = ("train",) * 15 + ("valid",) * 15
    faces = Faces(known.source, known.title, known.names, known.labels, parts)
    embedding = drawn(faces)
    assert "the 15 faces that are not in the train part" in embedding.measured
    assert embedding.panels[0].separation["label"].faces == 15
    assert embedding.groupings == ["label"]


def test_nothing_is_computed_twice_and_everything_that_matters_is_in_the_key() -> None:
    computed: list[str] = []

    def cache(kind: str, key: str, compute: Any) -> dict[str, Any]:
        def told() -> dict[str, Any]:
            computed.append(kind)
            return dict(compute())

        return cached(kind, key, told)

    first = drawn(cache=cache)
    assert sorted(set(computed)) == ["projections", "separations"]
    computed.clear()
    assert drawn(cache=cache) == first
    assert computed == []
    other = draw(some_faces(), [a_view()], 5, 1, 1, [3], ProgressFile(None), cache)
    assert computed == ["projections"]
    assert other.panels[0].coordinates != first.panels[0].coordinates
    draw(some_faces(), [a_view()], 6, 1, 1, [3], ProgressFile(None), cache)
    draw(some_faces(), [a_view(seed=2)], 5, 0, 1, [3], ProgressFile(None), cache)
    assert computed.count("projections") == 3


def test_a_damaged_entry_is_computed_anew_and_old_ones_go() -> None:
    assert cached("projections", "key", lambda: {"a": 1}) == {"a": 1}
    (folder("projections") / "key").write_text("{half")
    assert cached("projections", "key", lambda: {"a": 2}) == {"a": 2}
    for number in range(MOST_ENTRIES["projections"] + 5):
        cached("projections", f"k{number}", dict)
    prune()
    assert len(list(folder("projections").iterdir())) == MOST_ENTRIES["projections"]


def test_the_figure_has_a_point_for_every_face_in_every_panel_and_the_numbers() -> None:
    embedding = drawn()
    for colouring in colourings(embedding):
        figure = ElementTree.fromstring(embedding_svg(embedding, colouring))
        groups = figure.findall("{http://www.w3.org/2000/svg}g")
        assert [len(group) for group in groups] == [30, 30]
        painted = [circle.get("fill") for circle in groups[0]]
        assert painted == colours(embedding, colouring)
        assert "silhouette" in ElementTree.tostring(figure, encoding="unicode")


def test_names_of_outside_cannot_break_the_figure() -> None:
    view = a_view(name="<script>&")
    embedding = draw(some_faces(), [view], 5, 0, 1, [], ProgressFile(None), lambda kind, key, compute: compute())
    assert ElementTree.fromstring(embedding_svg(embedding)) is not None


def test_colours_are_those_of_the_emotions_and_entropy_has_a_scale() -> None:
    embedding = drawn()
    assert colours(embedding, "label")[:3] == [emotion.colour for emotion in EMOTIONS[:3]]
    assert colours(embedding, ENTROPY)[1] == ramp(float(embedding.entropies[1] or 0) / np.log(7))
    assert ramp(0) != ramp(0.5) != ramp(1)
    assert list(colourings(drawn(some_faces(votes=False)))) == ["label"]
    known = some_faces(votes=False)
    mixture = np.full((30, 7), 1 / 7)
    faces = Faces("f", "f", known.names, known.labels, distributions=mixture, reference="mixture (of a generator)")
    assert colourings(drawn(faces)) == {"label": "Label", "entropy": "Entropy of the mixture"}


def test_points_are_also_a_table(tmp_path: Path) -> None:
    embedding = drawn()
    write(embedding, [], "<svg/>", tmp_path / "map")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "map" / "points.csv").read_text())))
    assert len(rows) == 60
    assert rows[1]["face"] == "face01.png" and rows[1]["majority"] == EMOTION_NAMES[1] and rows[0]["majority"] == ""
    assert [float(rows[31]["x"]), float(rows[31]["y"])] == embedding.panels[1].coordinates[1]


def test_contact_sheets_hold_every_face_at_its_place() -> None:
    values = [(number * 37) % 256 for number in range(PER_SHEET + 3)]
    sheets = contact_sheets(Image.new("L", (90, 70), value) for value in values)
    assert len(sheets) == 2
    for face in (0, 1, COLUMNS + 5, PER_SHEET - 1, PER_SHEET + 2):
        with Image.open(io.BytesIO(sheets[face // PER_SHEET])) as sheet:
            at = face % PER_SHEET
            middle = (TILE * (at % COLUMNS) + TILE // 2, TILE * (at // COLUMNS) + TILE // 2)
            value = sheet.getpixel(middle)
        assert isinstance(value, int) and abs(value - values[face]) <= 3


def test_a_sample_is_a_part_in_order_drawn_by_the_seed() -> None:
    assert sample(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    first, again, other = sample(1000, 10, 0), sample(1000, 10, 0), sample(1000, 10, 1)
    assert first.tolist() == again.tolist() == sorted(set(first.tolist()))
    assert first.tolist() != other.tolist()
