"""Commands about a study's volunteers: links for them, how they are doing, erasing."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ldlva.cli.output import Json, print_json
from ldlva.survey import erasure
from ldlva.survey.invitations import study_path
from ldlva.survey.open import open_repository
from ldlva.survey.progress import StudyProgress
from ldlva.survey.records import StudySummary
from ldlva.wording import counted

Name = Annotated[str, typer.Argument(help="Name of the study.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `study`."""
    app.command()(invite)
    app.command()(invitations)
    app.command()(progress)
    app.command()(volunteers)
    app.command()(withdraw)
    app.command()(purge)


def invite(
    name: Name,
    count: Annotated[int, typer.Option(help="How many one-time links.")] = 1,
    note: Annotated[list[str] | None, typer.Option(help="Who a link is for; repeat for several links.")] = None,
    base: Annotated[str, typer.Option(help="Address of the server, to print whole links.")] = "",
    as_json: Json = False,
) -> None:
    """Make links that take one volunteer each. They are shown once: only their hashes are stored."""
    notes = note or [""] * count
    links = [base.rstrip("/") + path for path in open_repository().invite(name, notes)]
    if as_json:
        print_json([{"note": text, "link": link} for text, link in zip(notes, links, strict=True)])
        return
    for text, link in zip(notes, links, strict=True):
        print(f"{text}\t{link}" if text else link)


def invitations(name: Name, as_json: Json = False) -> None:
    """The study's link for everybody, where it has one, and its one-time links with whether they were used."""
    repository = open_repository()
    study, made = repository.study(name), repository.invitations(name)
    if as_json:
        rows = [
            {
                "number": row.number,
                "note": row.note,
                "created_at": row.created_at.isoformat(),
                "used_at": row.used_at.isoformat() if row.used_at else None,
            }
            for row in made
        ]
        print_json({"link": study_path(study), "one_time": rows})
        return
    print(f"Link for volunteers: {study_path(study) or 'none, every volunteer needs a one-time link'}")
    table = Table("No.", "Note", "Made", "Used", box=SIMPLE)
    for row in made:
        used = f"{row.used_at:%Y-%m-%d %H:%M}" if row.used_at else "–"
        table.add_row(str(row.number), escape(row.note), f"{row.created_at:%Y-%m-%d %H:%M}", used)
    if made:
        Console().print(table)


def progress(name: Name, as_json: Json = False) -> None:
    """How a study stands: faces against their quotas, volunteers, drop-outs, attention, votes per hour."""
    repository = open_repository()
    study = repository.study(name)
    found = repository.progress(study)
    if as_json:
        print_json({"study": name, "status": study.status, **found.to_json()})
    else:
        _print_progress(study, found)


def volunteers(name: Name, as_json: Json = False) -> None:
    """Every volunteer with completion code, participant's number as stored, and attention checks."""
    repository = open_repository()
    rows = repository.volunteer_rows(repository.study(name))
    if as_json:
        print_json(
            [
                {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
                for row in rows
            ]
        )
        return
    table = Table("No.", "Source", "Participant", "Finished", "Votes", "Code", "Attention", box=SIMPLE)
    for row in rows:
        finished = f"{row['finished_at']:%Y-%m-%d %H:%M}" if row["finished_at"] else "–"
        texts = (row["participant_id"], row["completion_code"], row["attention_flags"])
        participant, code, flags = (escape(str(text or "–")) for text in texts)
        votes = "–" if row["votes"] is None else str(row["votes"])
        table.add_row(str(row["volunteer"]), row["volunteer_source"], participant, finished, votes, code, flags)
    Console().print(table)


def withdraw(code: Annotated[str, typer.Argument(help="The volunteer's withdrawal code.")]) -> None:
    """Erase one volunteer's votes, answers and traces for ever; only a count remains. Exports made before stay."""
    erased = erasure.withdraw(open_repository(), code)
    votes = counted(erased.votes, "vote")
    print(f"Erased: {votes} in “{erased.study_title}”. Remove the volunteer from exports and backups made before, too.")


def purge(
    name: Annotated[str | None, typer.Argument(help="Name of the study; default: all.")] = None, as_json: Json = False
) -> None:
    """Erase answers about volunteers, and every link to them, where the protocol's retention_days are over."""
    done = open_repository().purge(name)
    if as_json:
        print_json([{"study": p.study, "retention_days": p.retention_days, "volunteers": p.volunteers} for p in done])
        return
    for purged in done:
        days = "no retention time" if purged.retention_days is None else f"{purged.retention_days} days"
        print(f"{purged.study}: {purged.volunteers} made anonymous ({days})")


def _print_progress(study: StudySummary, found: StudyProgress) -> None:
    states = found.states
    print(
        f"{study.title} is {study.status}. Volunteers: {states['finished']} finished, {states['voting']} voting, "
        f"{states['dropped out']} dropped out, {found.withdrawn} withdrawn, {len(found.flagged)} inattentive."
    )
    if found.more is not None:
        print(f"All faces together need about {found.more} more votes.")
    table = Table("Face", "Votes", "Promised", "Needs about", box=SIMPLE)
    for face in found.faces:
        more = "–" if face.more is None else ("enough" if face.more == 0 else f"{face.more} more")
        table.add_row(escape(face.name), str(face.votes), str(face.claims), more)
    Console().print(table)
