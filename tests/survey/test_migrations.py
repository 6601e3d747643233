"""A database of the first schema, with data in it, brought up to date; on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from ldlva.survey.access import secret_hash
from ldlva.survey.database import MIGRATIONS, Database
from ldlva.survey.protocol import Protocol, parse_protocol
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Base, Invitation, Study

BASIC = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
WHEN = datetime(2026, 11, 1, 12, tzinfo=UTC)


def go_back(connection: sa.Connection, revision: str) -> Mapping[str, sa.Table]:
    """Make the database an empty one of an earlier schema; returns its tables."""
    for table in reversed(Base.metadata.sorted_tables):
        connection.execute(text(f"DROP TABLE {table.name}"))
    connection.execute(text("DROP TABLE alembic_version"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return metadata.tables


def first_schema(database: Database) -> None:
    """Go back to the first schema, and put in what its product would have."""
    with database.engine.connect().execution_options(ldlva_write=True) as connection:
        table = go_back(connection, "0001")
        study = {"description": "", "status": "open", "seed": 3, "origin": {"source": "folder"}, "created_at": WHEN}
        consent = {"consent_text": "Agree.", "consent_version": "9"}
        connection.execute(
            sa.insert(table["study"]),
            [
                {"name": "a", "title": "Über", "labels": BASIC, "faces_per_volunteer": 2, **study, **consent},
                {"name": "b", "title": "B", "labels": ["fear", "anger"], "faces_per_volunteer": None} | study | consent,
            ],
        )
        image = {"media_type": "image/png", "width": 8, "height": 8, "label": None, "content": b"x"}
        connection.execute(
            sa.insert(table["image"]),
            [{"study_id": 1, "name": f"{i}.png", "sha256": str(i), **image} for i in (1, 2, 3)],
        )
        volunteer = {"study_id": 1, "created_at": WHEN, "finished_at": None}
        connection.execute(
            sa.insert(table["volunteer"]),
            [
                {"source": "web", "token_hash": secret_hash("token"), "consent_version": "9"}
                | {"consented_at": WHEN, "image_order": [3, 1], **volunteer},
                {"source": "ferplus", "token_hash": None, "consent_version": None}
                | {"consented_at": None, "image_order": [], **volunteer},
            ],
        )
        vote = {"study_id": 1, "repeat": 0, "response_ms": 700, "created_at": WHEN, "superseded_at": None}
        connection.execute(
            sa.insert(table["vote"]),
            [
                {"volunteer_id": 1, "image_id": 3, "choice": "fear", "source_choice": None, **vote},
                {"volunteer_id": 2, "image_id": 1, "choice": "none", "source_choice": "contempt", **vote},
            ],
        )
        connection.commit()


def test_a_first_database_keeps_everything_and_becomes_the_present_one(database: Database) -> None:
    first_schema(database)
    assert database.prepare() is False
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []

    repository = Repository(database)
    study = repository.study("a")
    assert (study.title, study.consent_text, study.consent_version) == ("Über", "Agree.", "9")
    assert (study.labels, study.faces_per_volunteer, study.seed) == (tuple(BASIC), 2, 3)
    assert (study.volunteers, study.imported_raters, study.votes, study.withdrawn) == (1, 1, 2, 0)
    assert repository.study("b").labels == ("fear", "anger")
    assert study.link_secret != repository.study("b").link_secret
    with database.read() as session:
        own = [secret for row in session.scalars(sa.select(Study)) for secret in (row.link_secret, row.private_secret)]
    assert len(set(own)) == 4 and all(len(secret) == 24 for secret in own)
    assert [row["protocol_hash"] for row in repository.vote_rows(study)] == [None, None]

    # The volunteer goes on where they were, and keeps the number of their votes going up.
    ballot = repository.ballot("token")
    assert (ballot.image_id, ballot.done, ballot.total, ballot.options) == (1, 1, 2, (*BASIC, "none"))
    assert repository.vote("token", 1, "anger").image_id is None
    newest = repository.vote_rows(study)[-1]
    assert newest["vote"] == 3
    assert newest["protocol_hash"] == study.protocol_hash
    assert repository.enrol("a").token
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA freelist_count").scalar() == 0  # no room left over from copying
            for table in ("study", "image", "volunteer", "vote", "invitation"):
                made = connection.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE name = '{table}'").scalar_one()
                assert "AUTOINCREMENT" in made


def test_a_migrated_protocol_is_written_out_in_full(database: Database) -> None:
    """Its hash is that of its text, and nothing depends on defaults that a later version may change."""
    first_schema(database)
    database.prepare()
    for name in ("a", "b"):
        [(_, content)] = Repository(database).protocol_contents(name)
        study = Repository(database).study(name)
        assert hashlib.sha256(content.encode()).hexdigest() == study.protocol_hash == parse_protocol(content).hash
        assert json.loads(content).keys() == Protocol.model_fields.keys()


def test_links_of_volunteers_who_were_made_anonymous_lead_to_them_no_more(database: Database) -> None:
    later = WHEN + timedelta(microseconds=1)
    with database.engine.connect().execution_options(ldlva_write=True) as connection:
        table = go_back(connection, "0003")
        study = {"status": "open", "protocol_version": 1, "link_secret": "x", "seed": 0, "origin": {}, "withdrawn": 0}
        connection.execute(sa.insert(table["study"]), [{"name": name, "created_at": WHEN, **study} for name in "ab"])
        invitation = {"study_id": 1, "created_at": WHEN - timedelta(days=1)}
        used = [("purged", WHEN), ("withdrawn", later), ("present", later + timedelta(days=1)), ("unused", None)]
        connection.execute(
            sa.insert(table["invitation"]),
            [{"secret_hash": note, "note": note, "used_at": at, **invitation} for note, at in used]
            + [{"secret_hash": "b", "note": "elsewhere", "used_at": WHEN} | invitation | {"study_id": 2}],
        )
        volunteer = {"study_id": 1, "source": "web", "trials": [], "options": []}
        connection.execute(
            sa.insert(table["volunteer"]),
            [
                {"created_at": WHEN, "purged_at": later, "invitation_id": None, **volunteer},
                {"created_at": later + timedelta(days=1), "purged_at": None, "invitation_id": 3, **volunteer},
            ],
        )
        connection.commit()
    database.prepare()
    with database.read() as session:
        rows = session.scalars(sa.select(Invitation).order_by(Invitation.id)).all()
    assert [row.note for row in rows] == ["", "withdrawn", "present", "unused", "elsewhere"]
    assert [row.used_at for row in rows] == [WHEN - timedelta(days=1), *(at for _, at in used[1:]), WHEN]
