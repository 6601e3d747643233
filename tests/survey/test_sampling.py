from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey.sampling import balanced_order, ferplus_study
from tests.conftest import VOTES, FerPlusMaker


def test_every_prefix_is_balanced_over_labels() -> None:
    labels = np.array([0] * 50 + [1] * 5 + [2] * 20)
    order = balanced_order(labels, seed=3)
    assert sorted(order.tolist()) == list(range(75))
    assert Counter(labels[order[:15]].tolist()) == {0: 5, 1: 5, 2: 5}
    assert order.tolist() != balanced_order(labels, seed=4).tolist()


def test_a_ferplus_study_has_the_ten_real_votes_of_every_face(make_ferplus: FerPlusMaker) -> None:
    study, images, votes = ferplus_study(make_ferplus(), "valid", 7, 0, "fer")
    assert study.name == "fer"
    assert sorted(image.label or "" for image in images) == sorted(EMOTION_NAMES)
    for image in images:
        cast = Counter(vote.source_choice for vote in votes if vote.image_name == image.name)
        expected = VOTES[image.label or ""]
        assert sum(cast.values()) == sum(expected)
        assert sorted(cast.values()) == sorted(count for count in expected if count)
        raters = [vote.rater for vote in votes if vote.image_name == image.name]
        assert sorted(raters) == list(range(sum(expected)))
    contempt = [vote for vote in votes if vote.source_choice == "contempt"]
    assert contempt
    assert all(vote.choice == "none" for vote in contempt)


def test_the_seed_decides_which_faces(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus(per_emotion=10)
    first, again, other = ({i.name for i in ferplus_study(root, "train", 14, seed, "x")[1]} for seed in (0, 0, 1))
    assert first == again != other


def test_too_many_faces_are_refused(make_ferplus: FerPlusMaker) -> None:
    with pytest.raises(SurveyError, match="only 14 different usable faces"):
        ferplus_study(make_ferplus(), "valid", 15, 0, "x")


def test_the_same_face_twice_is_drawn_once(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    folder = root / "FER2013Valid"
    names = sorted(path.name for path in folder.glob("*.png"))
    (folder / names[1]).write_bytes((folder / names[0]).read_bytes())
    with pytest.raises(SurveyError, match="only 13 different"):
        ferplus_study(root, "valid", 14, 0, "x")


def test_a_ferplus_study_can_do_without_pictures_that_models_were_trained_on(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    copied = sorted((root / "FER2013Valid").glob("*.png"))[0]
    copied.write_bytes(min((root / "FER2013Train").glob("*.png")).read_bytes())
    study, images, _ = ferplus_study(root, "valid", 13, 0, "fer", "argmax-unseen")
    assert copied.name not in [image.name for image in images]
    assert study.origin["filter"] == "argmax-unseen"
    with pytest.raises(SurveyError, match="only 13 different usable faces"):
        ferplus_study(root, "valid", 14, 0, "fer", "argmax-unseen")
    with pytest.raises(SurveyError, match="Unknown filter 'unseen'"):
        ferplus_study(root, "valid", 7, 0, "fer", "unseen")
