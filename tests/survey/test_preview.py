"""Who may open a preview."""

from __future__ import annotations

from ldlva.survey.access import keyed_hash
from ldlva.survey.preview import is_preview_key, preview_key
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.conftest import pictures


def test_a_previews_key_does_not_follow_from_the_volunteers_link(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", "S"), pictures(1))
    study = sqlite_repository.study("s")
    assert is_preview_key(study, preview_key(study))
    assert preview_key(study) == preview_key(sqlite_repository.studies()[0])
    assert not is_preview_key(study, keyed_hash(study.link_secret, "preview s")[:20])


def test_the_private_secret_is_not_shown(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("s", "S"), pictures(1))
    study = sqlite_repository.study("s")
    assert study.private_secret and study.private_secret not in repr(study)
