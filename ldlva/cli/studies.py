"""Commands about studies and the survey database."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ldlva.cli import protocols, samples, volunteers
from ldlva.cli.output import Json, print_json
from ldlva.cli.training import ProgressPath, predict_with
from ldlva.datasets import check_split
from ldlva.datasets.ferplus import FILTERS
from ldlva.errors import LdlvaError
from ldlva.jobs import ProgressFile
from ldlva.survey.demo import DEMO, create_demo_study
from ldlva.survey.erasure import delete_study
from ldlva.survey.export import export_study
from ldlva.survey.face_finding import CROPS, Crop, Cropper
from ldlva.survey.invitations import study_path
from ldlva.survey.new_studies import protocol_of
from ldlva.survey.open import open_repository
from ldlva.survey.protocol_file import read_protocol
from ldlva.survey.psych_ds import read_pack, write_pack
from ldlva.survey.records import NewStudy, StudySummary
from ldlva.survey.sampling import ferplus_study
from ldlva.survey.uploads import Upload, read_upload
from ldlva.wording import counted

if TYPE_CHECKING:
    from ldlva.training.runs import Run

app = typer.Typer(no_args_is_help=True, help="Create, list, open, close and export studies.")
app.add_typer(protocols.app, name="protocol")
volunteers.register(app)
app.command("sample")(samples.sample)
database_app = typer.Typer(no_args_is_help=True, help="The survey database.")


@database_app.command("prepare")
def prepare_database() -> None:
    """Create the database that LDLVA_DATABASE_URL names, or bring it up to date."""
    open_repository()
    print("The database is ready.")


@app.command("create")
def create_study(
    name: Annotated[str, typer.Option(help="Short name used in links: a-z, 0-9, - and _.")],
    images: Annotated[Path, typer.Option(help="Folder, ZIP archive or file: JPEG, PNG or WebP.")],
    title: Annotated[str | None, typer.Option(help="What volunteers read.")] = None,
    description: Annotated[str, typer.Option(help="One or two sentences for volunteers.")] = "",
    faces_per_volunteer: Annotated[int | None, typer.Option(help="Default: every face.")] = None,
    consent: Annotated[Path | None, typer.Option(help="Text file with your consent text.")] = None,
    protocol: Annotated[
        Path | None, typer.Option(help="Protocol (TOML) that says all about title, labels, order, consent and so on.")
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Do not open it yet.")] = False,
    crop: Annotated[
        str, typer.Option(help="face: find, level and crop the face; centre: the middle square; none: as it is.")
    ] = "face",
    leave_out_faceless: Annotated[
        bool, typer.Option("--leave-out-faceless", help="Leave out pictures in which no face is found.")
    ] = False,
    predict: Annotated[
        list[str] | None, typer.Option(help="A shipped model that predicts the faces at once. May be repeated.")
    ] = None,
    progress: ProgressPath = None,
) -> None:
    """Put up a study of your own images; it is open at once. Files that cannot be used are named, the others kept."""
    settings: dict[str, Any] = {}
    if protocol is not None:
        if title or description or faces_per_volunteer is not None or consent is not None:
            raise LdlvaError(
                "Title, description, faces per volunteer and consent are in the protocol. Give either --protocol or "
                "the others."
            )
        settings = {"protocol": read_protocol(protocol)}
    if consent is not None:
        try:
            settings = {"consent_text": consent.read_text(encoding="utf-8"), "consent_version": consent.stem}
        except (OSError, UnicodeDecodeError) as error:
            raise LdlvaError(f"{consent} cannot be read: {error}") from None
    study = NewStudy(
        name=name,
        title=title or name,
        description=description,
        faces_per_volunteer=faces_per_volunteer,
        status="draft" if draft else "open",
        **settings,
    )
    protocol_of(study)  # wrong entries before the long work
    repository = open_repository()
    repository.check_new_name(name)  # before the long work
    telling = ProgressFile(progress)
    telling("Loading the face detector" if crop == "face" else "Reading pictures")
    cropper = Cropper(_crop(crop), leave_out_faceless)
    upload = read_upload(images, cropper, telling.within("Finding faces" if crop == "face" else "Reading pictures"))
    files = [(image.name, image.content) for image in upload.images]
    # All predictions first: nothing is half done where one of them fails.
    predicted = list(predict_with(_shipped(predict), files, telling)) if predict else []
    telling("Storing the study")
    origin = {"source": "folder", "crop": cropper.crop}
    repository.create_study(replace(study, origin=origin), upload.images)
    image_ids = [image_id for image_id, _, _ in repository.images(repository.study(name))]
    for model, predictions in predicted:
        repository.store_predictions(model, image_ids, predictions.probabilities, predictions.features)
    for line in _remarks(upload):
        print(line, file=sys.stderr)
    telling("Done", len(files), len(files), report=upload.to_json())
    if predicted:
        print(f"Predicted by {', '.join(model.name for model, _ in predicted)}.")
    made = repository.study(name)
    print(f"Study {name!r} with {len(upload.images)} faces is {made.status}. {_link(made)}")


def _link(study: StudySummary) -> str:
    path = study_path(study)
    return f"Its link ends in {path}" if path else f"It takes one-time links: study invite {study.name}"


def _crop(name: str) -> Crop:
    for crop in CROPS:
        if crop == name:
            return crop
    raise LdlvaError(f"Unknown --crop {name!r}. Choose one of {', '.join(CROPS)}.")


def _shipped(names: list[str]) -> list[Run]:
    from ldlva.training.shipped import shipped_model

    return [shipped_model(name) for name in dict.fromkeys(names)]


def _remarks(upload: Upload) -> list[str]:
    """What a researcher must know about an upload, a line each."""
    return [
        *([upload.warning] if upload.warning else []),
        *(f"Left out: {refusal.name} {refusal.reason}" for refusal in upload.refused),
        *(f"Check: {note.name} {note.text}" for note in upload.notes),
    ]


@app.command("import-ferplus")
def import_ferplus(
    root: Annotated[Path, typer.Option(help="Folder that holds FER2013Train, FER2013Valid, ...")],
    name: Annotated[str, typer.Option(help="Name of the new study.")],
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    images: Annotated[int, typer.Option(help="How many faces, spread evenly over the labels.")] = 21,
    seed: Annotated[int, typer.Option(help="Which faces are drawn.")] = 0,
    rule: Annotated[str, typer.Option("--filter", help=f"Which faces: {', '.join(FILTERS)}.")] = "argmax",
) -> None:
    """Make a study of FER+ faces with their ten real votes each."""
    study, faces, votes = ferplus_study(root.expanduser(), check_split(split), images, seed, name, rule)
    open_repository().create_study(study, faces, votes)
    print(f"Study {name!r}: {len(faces)} faces, {len(votes)} votes.")


@app.command("create-demo")
def create_demo() -> None:
    """Put up the demo study of built-in faces, if the database does not have it yet."""
    repository = open_repository()
    if not repository.has_study(DEMO.name):
        create_demo_study(repository)
    print(f"The demo study is there. Its link ends in /vote?study={DEMO.name}")


@app.command("list")
def list_studies(as_json: Json = False) -> None:
    """All studies with their counts."""
    studies = open_repository().studies()
    if as_json:
        fields = ("name", "title", "status", "images", "volunteers", "imported_raters", "votes")
        print_json([{field: getattr(study, field) for field in fields} for study in studies])
        return
    if not studies:
        print("No studies yet. Create one with `study create` or `study import-ferplus`.")
        return
    table = Table("Name", "Title", "Status", "Faces", "Volunteers", "Imported raters", "Votes")
    for study in studies:
        counts = (study.images, study.volunteers, study.imported_raters, study.votes)
        table.add_row(study.name, escape(study.title), study.status, *map(str, counts))
    Console().print(table)


@app.command("status")
def set_status(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    status: Annotated[str, typer.Argument(help="draft, open, paused or closed.")],
) -> None:
    """Open, pause or close a study for volunteers."""
    open_repository().set_study_status(name, status)
    print(f"Study {name!r} is now {status}.")


@app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="Name of the study. It must not be open.")],
    yes: Annotated[bool, typer.Option("--yes", help="Really delete it.")] = False,
) -> None:
    """Delete a study for ever: faces, votes, volunteers, invitations, protocols, predictions and results."""
    repository = open_repository()
    study = repository.study(name)
    if study.status == "open":
        raise LdlvaError(f"{name!r} is open, somebody may be voting. Close it first: study status {name} closed")
    if not yes:
        raise LdlvaError(
            f"This would delete {name!r} for ever: {counted(study.images, 'face')}, "
            f"{counted(study.volunteers + study.imported_raters, 'rater')}, {counted(study.votes, 'vote')}. Export "
            f"first what you need (study export {name} --out FOLDER), then: study delete {name} --yes"
        )
    deleted, left = delete_study(repository, study)
    print(
        f"Study {name!r} is gone: {counted(deleted.faces, 'face')}, {counted(deleted.volunteers, 'rater')}, "
        f"{counted(deleted.votes, 'vote')} with those taken back"
        + (f", and models that had predicted nothing else: {', '.join(deleted.models)}." if deleted.models else ".")
    )
    if left:
        raise LdlvaError(left)


@app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files; made if missing.")] = None,
    psych_ds: Annotated[
        Path | None, typer.Option("--psych-ds", help="Instead: folder for an anonymous Psych-DS data set to publish.")
    ] = None,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Psych-DS: the faces too, if they may be.")
    ] = False,
    with_answers: Annotated[
        bool, typer.Option("--with-answers", help="Psych-DS: answers about volunteers and own words too. Read them.")
    ] = False,
    author: Annotated[list[str] | None, typer.Option(help="Psych-DS: an author. May be repeated.")] = None,
    licence: Annotated[str | None, typer.Option(help="Psych-DS: licence of the data.")] = None,
    citation: Annotated[str | None, typer.Option(help="Psych-DS: how to cite the data.")] = None,
) -> None:
    """Write a study's votes, volunteers and protocols as Parquet, CSV and TOML with a data dictionary."""
    if (out is None) == (psych_ds is None):
        raise LdlvaError("Say where to write: --out FOLDER for all data, --psych-ds FOLDER for a data set to publish.")
    repository = open_repository()
    if psych_ds is not None:
        pack = repository.pack(name, answers=with_answers, images=with_images)
        for path in write_pack(pack, psych_ds, author or (), licence, citation):
            print(path)
        return
    if out is None or with_images or with_answers or author or licence or citation:
        raise LdlvaError("--with-images, --with-answers, --author, --licence and --citation belong to --psych-ds.")
    study = repository.study(name)
    volunteers, protocols = repository.volunteer_rows(study), repository.protocol_contents(name)
    for path in export_study(study, repository.vote_rows(study), out, volunteers, protocols):
        print(path)


@app.command("import")
def import_study(
    folder: Annotated[Path, typer.Argument(help="A Psych-DS data set that `study export --psych-ds` wrote.")],
    name: Annotated[str | None, typer.Option(help="Name of the new study. Default: the data set's.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the faces, if the data set is without them.")] = None,
) -> None:
    """Make a closed study of a published data set. A damaged or edited one is refused, and the file named."""
    pack, contents = read_pack(folder, images)
    repository = open_repository()
    repository.unpack(pack, contents, name)
    made = repository.study(name or str(pack.study["name"]))
    print(f"Study {made.name!r}: {made.images} faces, {made.votes} votes, {len(pack.tables['models'])} models. Closed.")


@app.command("clone")
def clone(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    new_name: Annotated[str, typer.Argument(help="Name of the new study.")],
    protocol: Annotated[Path | None, typer.Option(help="Another protocol (TOML) for it.")] = None,
) -> None:
    """Make a draft with the same faces and protocol, without votes."""
    open_repository().clone_study(name, new_name, read_protocol(protocol) if protocol else None)
    print(f"Study {new_name!r} is a draft. Open it with: study status {new_name} open")
