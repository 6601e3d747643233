"""`python -m ldlva ...`: everything the pages do not do, or do in a child process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ldlva.comparison import GRID, HEADLINE, Comparison, score
from ldlva.datasets import FaceDataset, check_split, load_dataset
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import LdlvaError
from ldlva.survey.comparing import compare_study
from ldlva.survey.demo import DEMO, create_demo_study
from ldlva.survey.export import export_study
from ldlva.survey.open import open_repository
from ldlva.survey.records import NewModel, NewStudy
from ldlva.survey.sampling import ferplus_study
from ldlva.survey.uploads import read_upload

CARDS = {
    "ferplus": {
        "limits": "Trained on small grey faces found by web search in 2013 (FER2013). Coloured pictures are made grey. "
        "Faces of other ages, places, poses or picture quality may be read worse. Not for judging single people.",
        "licence": "Weights may be used for research. FER+ labels are MIT licensed (Microsoft); the rights in the "
        "FER2013 images are unclear, and no image is part of this product.",
    }
}
"""What the card of a model trained on a data set says besides its metrics."""

if TYPE_CHECKING:
    from ldlva.training.predict import Predictor
    from ldlva.training.runs import Run

# Anything heavier (torch) is imported inside the command that needs it: `study list` must not wait for it.

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
study_app = typer.Typer(no_args_is_help=True, help="Create, list, open, close and export studies.")
models_app = typer.Typer(no_args_is_help=True, help="The models that come with the product.")
database_app = typer.Typer(no_args_is_help=True, help="The survey database.")
app.add_typer(study_app, name="study")
app.add_typer(models_app, name="models")
app.add_typer(database_app, name="db")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RunFolder = Annotated[Path | None, typer.Option(help="Folder of a finished run.")]
ModelName = Annotated[str | None, typer.Option(help="A shipped model, instead of --run; see `models list`.")]


def main() -> None:
    """Run a command; an expected error is one line on standard error and exit code 1."""
    try:
        app()
    except LdlvaError as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


@database_app.command("prepare")
def prepare_database() -> None:
    """Create the database that LDLVA_DATABASE_URL names, or bring it up to date."""
    open_repository()
    print("The database is ready.")


@study_app.command("create")
def create_study(
    name: Annotated[str, typer.Option(help="Short name used in links: a-z, 0-9, - and _.")],
    images: Annotated[Path, typer.Option(help="Folder, ZIP archive or file: JPEG, PNG or WebP.")],
    title: Annotated[str | None, typer.Option(help="What volunteers read.")] = None,
    description: Annotated[str, typer.Option(help="One or two sentences for volunteers.")] = "",
    faces_per_volunteer: Annotated[int | None, typer.Option(help="Default: every face.")] = None,
    consent: Annotated[Path | None, typer.Option(help="Text file with your consent text.")] = None,
) -> None:
    """Put up a study of your own images; it is open at once. Files that cannot be used are named, the others kept."""
    settings: dict[str, Any] = {}
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
        origin={"source": "folder"},
        **settings,
    )
    upload = read_upload(images)
    open_repository().create_study(study, upload.images)
    for refusal in upload.refused:
        print(f"Left out: {refusal.name} {refusal.reason}", file=sys.stderr)
    print(f"Study {name!r} with {len(upload.images)} faces is open. Its link ends in /vote?study={name}")


@study_app.command("import-ferplus")
def import_ferplus(
    root: Annotated[Path, typer.Option(help="Folder that holds FER2013Train, FER2013Valid, ...")],
    name: Annotated[str, typer.Option(help="Name of the new study.")],
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    images: Annotated[int, typer.Option(help="How many faces, spread evenly over the labels.")] = 21,
    seed: Annotated[int, typer.Option(help="Which faces are drawn.")] = 0,
) -> None:
    """Make a study of FER+ faces with their ten real votes each."""
    study, faces, votes = ferplus_study(root.expanduser(), check_split(split), images, seed, name)
    open_repository().create_study(study, faces, votes)
    print(f"Study {name!r}: {len(faces)} faces, {len(votes)} votes.")


@study_app.command("create-demo")
def create_demo() -> None:
    """Put up the demo study of built-in faces, if the database does not have it yet."""
    repository = open_repository()
    if DEMO.name not in [study.name for study in repository.studies()]:
        create_demo_study(repository)
    print(f"The demo study is there. Its link ends in /vote?study={DEMO.name}")


@study_app.command("list")
def list_studies(as_json: Json = False) -> None:
    """All studies with their counts."""
    studies = open_repository().studies()
    if as_json:
        fields = ("name", "title", "status", "images", "volunteers", "imported_raters", "votes")
        _print_json([{field: getattr(study, field) for field in fields} for study in studies])
        return
    if not studies:
        print("No studies yet. Create one with `study create` or `study import-ferplus`.")
        return
    table = Table("Name", "Title", "Status", "Faces", "Volunteers", "Imported raters", "Votes")
    for study in studies:
        counts = (study.images, study.volunteers, study.imported_raters, study.votes)
        table.add_row(study.name, escape(study.title), study.status, *map(str, counts))
    Console().print(table)


@study_app.command("status")
def set_status(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    status: Annotated[str, typer.Argument(help="open, paused or closed.")],
) -> None:
    """Open, pause or close a study for volunteers."""
    open_repository().set_study_status(name, status)
    print(f"Study {name!r} is now {status}.")


@study_app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    out: Annotated[Path, typer.Option(help="Folder for the files; made if missing.")],
) -> None:
    """Write a study's votes as Parquet and CSV with a data dictionary."""
    repository = open_repository()
    study = repository.study(name)
    for path in export_study(study, repository.vote_rows(study), out):
        print(path)


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Run folder, e.g. runs/NAME.")],
    data: Annotated[str | None, typer.Option(help="Data set as NAME:FOLDER, e.g. ferplus:~/FERPlus.")] = None,
    method: Annotated[str | None, typer.Option(help="ce or ldlva. Default: ce.")] = None,
    backbone: Annotated[str | None, typer.Option(help="mobilenet_v2, resnet18, ... Default: resnet18.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels. Default: 48.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Default: 15.")] = None,
    seed: Annotated[int | None, typer.Option(help="Default: 0.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: 64.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the schedule. Default: 0.05.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16. Default: what is fast here.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: all cores.")] = None,
    label_filter: Annotated[str | None, typer.Option("--filter", help="argmax or majority. Default: argmax.")] = None,
    valence_arousal: Annotated[
        str | None, typer.Option(help="LDLVA: CSV name,valence,arousal. Default: out-of-fold teachers.")
    ] = None,
    teacher_folds: Annotated[int | None, typer.Option(help="LDLVA: number of teachers. Default: 3.")] = None,
    teacher_epochs: Annotated[int | None, typer.Option(help="LDLVA: epochs of each teacher. Default: 6.")] = None,
    option: Annotated[list[str] | None, typer.Option("--set", help="A method's own setting, NAME=VALUE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out with its own settings.")] = False,
) -> None:
    """Train a model on the single labels of a data set. A killed run continues with --resume."""
    from ldlva.training.config import resolve_config
    from ldlva.training.engine import train as train_run
    from ldlva.training.runs import Run

    given = {
        "data": data,
        "method": method,
        "backbone": backbone,
        "image_size": image_size,
        "epochs": epochs,
        "seed": seed,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "precision": precision,
        "threads": threads,
        "filter": label_filter,
        "valence_arousal": valence_arousal,
        "teacher_folds": teacher_folds,
        "teacher_epochs": teacher_epochs,
        "options": _parse_options(option or []) or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    run = Run(out)
    if resume:
        config = run.config()
        wanted = resolve_config(**(config.model_dump() | given))
        changed = [name for name in given if getattr(config, name) != getattr(wanted, name)]
        if changed:
            raise LdlvaError(f"--resume continues with the run's own settings, but these differ: {', '.join(changed)}.")
        if run.is_finished():
            print(f"{out} has finished already.")
            return
    else:
        if data is None:
            raise LdlvaError("Say what to train on with --data, e.g. --data ferplus:~/FERPlus.")
        if run.exists():
            raise LdlvaError(f"{out} already holds a run. Add --resume to continue it, or choose another --out.")
        config = resolve_config(**given)
    with _TrainingProgress() as progress:
        train_run(config, run, progress)
    print(f"Finished: {out}")


@app.command()
def predict(
    study: Annotated[str, typer.Option(help="Name of the study.")],
    run: RunFolder = None,
    model: ModelName = None,
    name: Annotated[str | None, typer.Option(help="Name of the model on the pages. Default: the run folder's.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop what a model of this name with other weights predicted elsewhere.")
    ] = False,
) -> None:
    """Predict a study's images with a trained model and store predictions and features in the database."""
    from ldlva.training.predict import Predictor

    repository = open_repository()
    summary = repository.study(study)
    predictor = Predictor(_chosen_run(run, model))
    images = repository.images(summary)
    predictions = predictor.predict_files([(name, content) for _, name, content in images])
    identity = NewModel(
        name=name or predictor.name,
        method=predictor.config.method,
        backbone=predictor.config.backbone,
        labels=EMOTION_NAMES,
        weights_sha256=predictor.weights_sha256,
        details=predictor.record,
    )
    image_ids = [image_id for image_id, _, _ in images]
    repository.store_predictions(identity, image_ids, predictions.probabilities, predictions.features, replace)
    print(f"Stored predictions of {identity.name} for {len(images)} faces of {study!r}.")


@app.command()
def evaluate(
    data: Annotated[str, typer.Option(help="Data set with votes, as NAME:FOLDER.")],
    run: RunFolder = None,
    model: ModelName = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    label_filter: Annotated[str, typer.Option("--filter", help="argmax or majority.")] = "argmax",
    as_json: Json = False,
) -> None:
    """Score a model against the votes of a data set: means over faces, natural logarithms."""
    from ldlva.training.predict import Predictor

    chosen = _chosen_run(run, model)
    dataset = load_dataset(data, split, label_filter)
    result = _score_model(Predictor(chosen), dataset)
    if as_json:
        _print_json(result)
        return
    table = Table(
        "Measure", "Value", title=f"{chosen.name} on {data} {split}, n = {len(dataset)}, filter {dataset.filter}"
    )
    table.add_row("accuracy", f"{result['accuracy']:.4f}")
    for epsilon, value in result["jeffreys"].items():
        table.add_row(f"Jeffreys divergence, clipped at {epsilon}", f"{value:.4f}")
    table.add_row("soft cross-entropy", f"{result['soft_cross_entropy']:.4f}")
    table.add_row("Jensen-Shannon divergence", f"{result['js']:.4f}")
    Console().print(table)


@app.command()
def compare(study: Annotated[str, typer.Option(help="Name of the study.")], as_json: Json = False) -> None:
    """Compare a study's votes with every model predicted for it: the numbers of the Compare page."""
    repository = open_repository()
    summary = repository.study(study)
    compared = compare_study(repository, summary)
    if as_json:
        _print_json({"study": study, **compared.to_json()})
        return
    _print_comparison(compared.comparison, study)


@models_app.command("list")
def list_models(as_json: Json = False) -> None:
    """The shipped models with what they were trained on and how they score."""
    from ldlva.training.shipped import shipped_models

    found = [
        {
            "name": run.name,
            "method": (record := run.record())["config"]["method"],
            "backbone": record["config"]["backbone"],
            "data": {**record["data"], "image_size": record["config"]["image_size"]},
            "metrics": record["card"]["metrics"],
        }
        for run in shipped_models()
    ]
    if as_json:
        _print_json(found)
        return
    if not found:
        print("No models are shipped with this version.")
        return
    table = Table("Name", "Method", "Backbone", "Trained on", "Accuracy", f"Jeffreys at {HEADLINE}")
    for model in found:
        metrics = model["metrics"]
        scores = (f"{metrics['accuracy']:.1%}", f"{metrics['jeffreys'][HEADLINE]:.2f}")
        table.add_row(model["name"], model["method"], model["backbone"], model["data"]["source"], *scores)
    Console().print(table)


@models_app.command("ship")
def ship_model(
    run: Annotated[Path, typer.Option(help="Folder of a finished run.")],
    name: Annotated[str, typer.Option(help="Name of the model.")],
    data: Annotated[str, typer.Option(help="Data set with votes for the card's metrics, as NAME:FOLDER.")],
    split: Annotated[str, typer.Option(help="Part the metrics are measured on.")] = "valid",
) -> None:
    """Make a shipped model of a run: half precision, a card with its metrics, predictions for the demo study."""
    from ldlva.training.predict import Predictor
    from ldlva.training.runs import Run
    from ldlva.training.shipped import ship

    dataset = load_dataset(data, split)
    metrics = {"data": dataset.describe(), **_score_model(Predictor(Run(run)), dataset)}
    model = ship(Run(run), name, {"metrics": metrics, **CARDS[dataset.source]})
    print(f"Shipped as {model.folder}")


@models_app.command("predict-demo")
def predict_demo_study() -> None:
    """Compute every shipped model's predictions for the demo study anew."""
    from ldlva.training.shipped import shipped_models, write_demo_predictions

    for run in shipped_models():
        print(write_demo_predictions(run))


def _score_model(predictor: Predictor, dataset: FaceDataset) -> dict[str, Any]:
    """What `evaluate` prints."""
    if dataset.vote_counts is None:
        raise LdlvaError(f"{dataset.source} has no votes to compare with.")
    probabilities = predictor.predict_dataset(dataset).probabilities
    return {
        "n": len(dataset),
        "filter": dataset.filter,
        "accuracy": float((probabilities.argmax(axis=1) == dataset.labels).mean()),
        **score(dataset.vote_counts, probabilities),
    }


def _chosen_run(run: Path | None, model: str | None) -> Run:
    """The run that --run or --model names; exactly one of them."""
    from ldlva.training.runs import Run
    from ldlva.training.shipped import shipped_model

    if (run is None) == (model is None):
        raise LdlvaError("Name a trained model with either --run FOLDER or --model NAME.")
    return Run(run) if run is not None else shipped_model(str(model))


def _print_comparison(comparison: Comparison, study: str) -> None:
    # A cut-off number is worse than a wrapped line.
    console = Console(width=max(Console().width, 100))
    table = Table(
        title=f"Mean Jeffreys divergence from people, {len(comparison.rows)} faces of {study}",
        box=SIMPLE,
        padding=(0, 1),
    )
    table.add_column("clipped at", no_wrap=True)
    for name in (*GRID, f"95% at {HEADLINE}", "soft CE", "JS", "acc."):
        table.add_column(name, justify="right", no_wrap=True)
    companions = ("soft_cross_entropy", "js")
    for model in comparison.models:
        headline = model.estimates[HEADLINE]
        table.add_row(
            escape(model.name),
            *(f"{model.estimates[key].mean:.2f}" for key in GRID),
            f"{headline.low:.2f}–{headline.high:.2f}",
            *(f"{model.estimates[key].mean:.3f}" for key in companions),
            f"{model.accuracy:.0%}",
        )
    table.add_section()
    for floor in comparison.floors:
        grid = (f"{floor.values[key]:.2f}" for key in GRID)
        table.add_row(floor.name, *grid, "", *(f"{floor.values[key]:.3f}" for key in companions), "")
    console.print(table)
    for sentence in comparison.verdict():
        console.print(escape(sentence))


def _parse_options(pairs: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise LdlvaError(f"--set takes NAME=VALUE, got {pair!r}.")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=2))


class _TrainingProgress:
    """A progress bar per epoch and a line with the figures of every finished one."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("in this epoch"), console=Console(stderr=True),
        )  # fmt: skip
        self._task = self._bar.add_task("Reading images", total=None)

    def __enter__(self) -> _TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(
        self, stage: str, epoch: int, epochs: int, step: int, steps: int, metrics: dict[str, Any] | None
    ) -> None:
        if step == 1:
            self._bar.reset(self._task, description=f"{stage}, epoch {epoch + 1}/{epochs}", total=steps)
        self._bar.update(self._task, completed=step, total=steps)
        if metrics is not None:
            figures = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items() if name != "epoch")
            self._bar.console.print(f"{stage} epoch {epoch + 1}/{epochs}  {figures}", highlight=False)
