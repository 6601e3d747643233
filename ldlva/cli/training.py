"""Commands that train models and apply them. torch is imported inside the command that needs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ldlva.cli.output import Json, print_json
from ldlva.comparison import score
from ldlva.datasets import FaceDataset, load_dataset
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import LdlvaError
from ldlva.survey.open import open_repository
from ldlva.survey.records import NewModel

if TYPE_CHECKING:
    from ldlva.training.predict import Predictor
    from ldlva.training.runs import Run

RunFolder = Annotated[Path | None, typer.Option(help="Folder of a finished run.")]
ModelName = Annotated[str | None, typer.Option(help="A shipped model, instead of --run; see `models list`.")]


def train(
    out: Annotated[Path, typer.Option(help="Run folder, e.g. runs/NAME.")],
    data: Annotated[str | None, typer.Option(help="faces, or NAME:FOLDER, e.g. ferplus:~/FERPlus.")] = None,
    method: Annotated[
        str | None, typer.Option(help="ce, label_smoothing, soft, center, total, dmue or ldlva. Default: ce.")
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="mobilenet_v2, resnet18, ... Default: resnet18.")] = None,
    stem: Annotated[str | None, typer.Option(help="standard, or small for faces of 48-64 px.")] = None,
    init: Annotated[
        str | None, typer.Option(help="Start from a shipped model, a run folder, a weights file, or torchvision.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels. Default: 48.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Default: 15.")] = None,
    seed: Annotated[int | None, typer.Option(help="Default: 0.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: 64.")] = None,
    sampling: Annotated[
        str | None, typer.Option(help="uniform, or balanced: classes equally often. Default: the method's own.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the schedule. Default: 0.05.")] = None,
    class_weights: Annotated[
        bool | None, typer.Option("--class-weights", help="Weight the loss by inverse class frequency.")
    ] = None,
    label_noise: Annotated[float | None, typer.Option(help="Share of labels replaced at random.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16. Default: what is fast here.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: all cores.")] = None,
    label_filter: Annotated[str | None, typer.Option("--filter", help="Rule for labels: argmax, majority.")] = None,
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
        "stem": stem,
        "init": init and _initial_weights(init),
        "image_size": image_size,
        "epochs": epochs,
        "seed": seed,
        "batch_size": batch_size,
        "sampling": sampling,
        "learning_rate": learning_rate,
        "class_weights": class_weights,
        "label_noise": label_noise,
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
            raise LdlvaError("Say what to train on with --data, e.g. --data faces or --data ferplus:~/FERPlus.")
        if run.exists():
            raise LdlvaError(f"{out} already holds a run. Add --resume to continue it, or choose another --out.")
        config = resolve_config(**given)
    with _TrainingProgress() as progress:
        train_run(config, run, progress)
    print(f"Finished: {out}")


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


def evaluate(
    data: Annotated[str, typer.Option(help="faces, or NAME:FOLDER, e.g. ferplus:~/FERPlus.")],
    run: RunFolder = None,
    model: ModelName = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    label_filter: Annotated[str | None, typer.Option("--filter", help="As for train.")] = None,
    as_json: Json = False,
) -> None:
    """Score a model against the votes of a data set: means over faces, natural logarithms."""
    from ldlva.training.predict import Predictor

    chosen = _chosen_run(run, model)
    dataset = load_dataset(data, split, label_filter)
    result = score_model(Predictor(chosen), dataset)
    if as_json:
        print_json(result)
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


def score_model(predictor: Predictor, dataset: FaceDataset) -> dict[str, Any]:
    """What `evaluate` prints."""
    measured_against, reference = dataset.reference()
    probabilities = predictor.predict_dataset(dataset).probabilities
    return {
        "n": len(dataset),
        "filter": dataset.filter,
        "reference": measured_against,
        "accuracy": float((probabilities.argmax(axis=1) == dataset.labels).mean()),
        **score(reference, probabilities),
    }


def _chosen_run(run: Path | None, model: str | None) -> Run:
    """The run that --run or --model names; exactly one of them."""
    from ldlva.training.runs import Run
    from ldlva.training.shipped import shipped_model

    if (run is None) == (model is None):
        raise LdlvaError("Name a trained model with either --run FOLDER or --model NAME.")
    return Run(run) if run is not None else shipped_model(str(model))


def _initial_weights(name: str) -> str:
    """Where `--init` finds its weights: a shipped model's folder, or `name` as it is."""
    from ldlva.training.shipped import shipped_models

    return next((str(model.folder) for model in shipped_models() if model.name == name), name)


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
