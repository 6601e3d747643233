"""Commands that train models and apply them. torch is imported inside the command that needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ldlva.cli.data import load_data
from ldlva.cli.output import Json, print_json
from ldlva.comparison import label_offsets
from ldlva.comparison.calibration import FEWEST_FACES
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import LdlvaError
from ldlva.jobs import ProgressFile
from ldlva.run_folder import READING, ProgressWriter, check_not_running, is_main_process
from ldlva.survey.open import open_repository
from ldlva.survey.records import NewModel

if TYPE_CHECKING:
    from ldlva.training.predict import Predictions
    from ldlva.training.runs import Run
    from ldlva.training.trainer import Progress

RunFolder = Annotated[Path | None, typer.Option(help="Folder of a finished run.")]


ModelNames = Annotated[
    list[str] | None, typer.Option(help="A shipped model, instead of --run; see `models list`. May be repeated.")
]
ProgressPath = Annotated[Path | None, typer.Option(help="JSON file to keep telling how far the command is.")]


def train(
    out: Annotated[Path, typer.Option(help="Run folder, e.g. runs/NAME.")],
    data: Annotated[str | None, typer.Option(help="faces, NAME:FOLDER, e.g. ferplus:~/FERPlus, or study:NAME.")] = None,
    method: Annotated[
        str | None,
        typer.Option(help="ce, label_smoothing, soft, center, total, dmue, ldlva or ldlva_plus. Default: ce."),
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
    compile_network: Annotated[
        bool | None, typer.Option("--compile", help="Let torch.compile speed the network up; takes minutes at first.")
    ] = None,
    fast_small_maps: Annotated[
        bool | None,
        typer.Option(
            "--fast-small-maps",
            help="On the CPU: convolve maps of 3x3 and fewer pixels as matrix products; halves a float32 ResNet step "
            "at 48 px.",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: all cores.")] = None,
    label_filter: Annotated[str | None, typer.Option("--filter", help="Rule for labels, by data set.")] = None,
    valence_arousal: Annotated[
        str | None,
        typer.Option(help="LDLVA: CSV name,valence,arousal. Default: the data set's own, else out-of-fold teachers."),
    ] = None,
    teacher_posteriors: Annotated[
        str | None, typer.Option(help="posteriors.csv of another run on the same data, instead of training teachers.")
    ] = None,
    teacher_folds: Annotated[int | None, typer.Option(help="Number of teachers. Default: 3.")] = None,
    teacher_epochs: Annotated[int | None, typer.Option(help="Epochs of each teacher. Default: 6.")] = None,
    option: Annotated[list[str] | None, typer.Option("--set", help="A method's own setting, NAME=VALUE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out with its own settings.")] = False,
) -> None:
    """Train a model on the single labels of a data set. A killed run continues with --resume."""
    from ldlva.training.config import resolve_config
    from ldlva.training.distributed import joined_group
    from ldlva.training.engine import complete
    from ldlva.training.engine import train as train_run
    from ldlva.training.runs import FollowedRun, Run

    given = {
        "data": data,
        "method": method,
        "backbone": backbone,
        "stem": stem,
        "init": init and initial_weights(init),
        "image_size": image_size,
        "epochs": epochs,
        "seed": seed,
        "batch_size": batch_size,
        "sampling": sampling,
        "learning_rate": learning_rate,
        "class_weights": class_weights,
        "label_noise": label_noise,
        "precision": precision,
        "compile": compile_network,
        "fast_small_maps": fast_small_maps,
        "threads": threads,
        "filter": label_filter,
        "valence_arousal": valence_arousal,
        "teacher_posteriors": teacher_posteriors,
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
            complete(run, load_data)
            print(f"{out} has finished already.")
            return
    else:
        if data is None:
            raise LdlvaError("Say what to train on with --data, e.g. --data faces or --data ferplus:~/FERPlus.")
        # Under torchrun another process may be at creating it by now.
        if is_main_process() and run.exists():
            raise LdlvaError(f"{out} already holds a run. Add --resume to continue it, or choose another --out.")
        config = resolve_config(**given)
    check_not_running(out)
    with joined_group() as group:
        if not group.is_main:
            train_run(config, FollowedRun(out), lambda *_: None, load_data, group)
            return
        with TrainingProgress() as progress:
            train_run(config, run, progress.of_run(out), load_data, group)
    print(f"Finished: {out}")


def predict(
    study: Annotated[str, typer.Option(help="Name of the study.")],
    run: RunFolder = None,
    model: ModelNames = None,
    name: Annotated[str | None, typer.Option(help="Name of the model on the pages. Default: the run folder's.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop what a model of this name with other weights predicted elsewhere.")
    ] = False,
    progress: ProgressPath = None,
) -> None:
    """Predict a study's images with trained models and store predictions and features in the database."""
    from ldlva.training.runs import Run
    from ldlva.training.shipped import shipped_model

    models = list(dict.fromkeys(model or []))
    if (run is None) == (not models):
        raise LdlvaError("Name a trained model with either --run FOLDER or --model NAME.")
    if name is not None and len(models) > 1:
        raise LdlvaError("--name names one model, but several are to predict. Predict with one at a time.")
    repository = open_repository()
    summary = repository.study(study)
    images = repository.images(summary)
    image_ids = [image_id for image_id, _, _ in images]
    runs = [Run(run)] if run is not None else [shipped_model(chosen) for chosen in models]
    files = [(file, content) for _, file, content in images]
    for identity, predictions in predict_with(runs, files, ProgressFile(progress), name):
        repository.store_predictions(identity, image_ids, predictions.probabilities, predictions.features, replace)
        print(f"Stored predictions of {identity.name} for {len(images)} faces of {study!r}.")


def predict_with(
    runs: Sequence[Run], files: Sequence[tuple[str, bytes]], progress: ProgressFile, name: str | None = None
) -> Iterator[tuple[NewModel, Predictions]]:
    """Every run's identity and its predictions of files given as (name, content), one run after the other."""
    from ldlva.training.predict import Predictor

    for number, run in enumerate(runs, start=1):
        stage = f"Predicting with {run.name}"
        progress(stage, 0, len(files))
        predictor = Predictor(run)
        message = f"model {number} of {len(runs)}" if len(runs) > 1 else ""
        predictions = predictor.predict_files(files, progress.within(stage, message))
        identity = NewModel(
            name=name or predictor.name,
            method=predictor.config.method,
            backbone=predictor.config.backbone,
            labels=EMOTION_NAMES,
            weights_sha256=predictor.weights_sha256,
            details={**predictor.record, "temperature": run.temperature()},
        )
        yield identity, predictions


def evaluate(
    data: Annotated[str, typer.Option(help="faces, NAME:FOLDER, e.g. ferplus:~/FERPlus, or study:NAME.")],
    run: Annotated[list[Path] | None, typer.Option(help="Folder of a finished run; several are an ensemble.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="A shipped model, as well as or instead of --run.")] = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    label_filter: Annotated[str | None, typer.Option("--filter", help="As for train.")] = None,
    as_json: Json = False,
) -> None:
    """Score models against the votes of a data set: means over faces with 95% intervals, natural logarithms."""
    from ldlva.training.evaluation import evaluate as evaluate_runs
    from ldlva.training.runs import Run
    from ldlva.training.shipped import shipped_model

    runs = [Run(folder) for folder in run or []] + [shipped_model(name) for name in model or []]
    result = evaluate_runs(runs, lambda image_size: load_data(data, split, label_filter, image_size))
    if as_json:
        print_json(result)
        return
    title = f"{' + '.join(one.name for one in runs)} on {data} {split}, n = {result['n']}, filter {result['filter']}"
    if "reference" not in result:
        print(f"{title}: accuracy {result['accuracy']:.4f}. Single labels only: no distribution to measure against.")
        return
    columns = {"Raw": result}
    if (calibrated := result["calibrated"]) is not None:
        columns[f"After temperature {calibrated['temperature']:.2f}"] = calibrated
    accuracies = [f"{result['accuracy']:.4f}", *["the same"][: len(columns) - 1]]
    if (shifted := result["with_label_offsets"]) is not None:
        columns["After label offsets"] = shifted
        accuracies.append(f"{shifted['accuracy']:.4f}")
    table = Table("Measure", *columns, title=f"{title}, against {result['reference']}")
    table.add_row("accuracy", *accuracies)
    for epsilon in result["jeffreys"]:
        cells = (_with_interval(scores, "jeffreys", epsilon) for scores in columns.values())
        table.add_row(f"Jeffreys divergence, ε = {epsilon}", *cells)
    for key, name in (("soft_cross_entropy", "soft cross-entropy"), ("js", "Jensen-Shannon divergence")):
        table.add_row(name, *(_with_interval(scores, key) for scores in columns.values()))
    if calibrated is None:
        table.caption = f"No temperature: it takes {FEWEST_FACES} faces."
    console = Console(width=max(Console().width, 110))
    console.print(table, _label_shares(result))


def _label_shares(result: dict[str, Any]) -> Table:
    """How often each label is chosen by people (or what else is the reference) and by the model, and its offset."""
    shares, shifted = result["label_shares"], result["with_label_offsets"]
    table = Table("Label", "Reference", "Predicted", title="Mean share of each label")
    if shifted is None:
        table.caption = f"No label offsets: they take {label_offsets.FEWEST_FACES} faces."
    else:
        table.add_column("Offset, nats")
    for label, share in shares["reference"].items():
        offset = [] if shifted is None else [f"{shifted['offsets'][label]:+.2f}"]
        table.add_row(label, f"{share:.1%}", f"{shares['predicted'][label]:.1%}", *offset)
    return table


def _with_interval(scores: dict[str, Any], *keys: str) -> str:
    """A mean with its 95% interval."""
    value, bounds = scores, scores["intervals"]
    for key in keys:
        value, bounds = value[key], bounds[key]
    return f"{value:.4f} [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def initial_weights(name: str) -> str:
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


class TrainingProgress:
    """A progress bar per epoch and a line with the figures of every finished one."""

    def __init__(self) -> None:
        from rich import progress as bars

        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn(),
            bars.TimeRemainingColumn(), bars.TextColumn("in this epoch"), console=Console(stderr=True),
        )  # fmt: skip
        self._task = self._bar.add_task("Reading images", total=None)

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def of_run(self, folder: Path, name: str = "") -> Progress:
        """The display for the run in `folder`, whose `progress.json` it keeps; `name` goes in front."""
        write = ProgressWriter(folder)
        write(READING)

        def report(stage: str, epoch: int, epochs: int, step: int, steps: int, metrics: dict[str, Any] | None) -> None:
            write(stage, epoch, epochs, step, steps)
            self(f"{name}, {stage}" if name else stage, epoch, epochs, step, steps, metrics)

        return report

    def __call__(
        self, stage: str, epoch: int, epochs: int, step: int, steps: int, metrics: dict[str, Any] | None
    ) -> None:
        if step == 1:
            self._bar.reset(self._task, description=f"{stage}, epoch {epoch + 1}/{epochs}", total=steps)
        self._bar.update(self._task, completed=step, total=steps)
        if metrics is not None:
            figures = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items() if name != "epoch")
            self._bar.console.print(f"{stage} epoch {epoch + 1}/{epochs}  {figures}", highlight=False)
