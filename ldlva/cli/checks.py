"""Commands that check this product: against the authors' numbers, and against the clock."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ldlva.cli.output import Json, print_json

if TYPE_CHECKING:
    from ldlva.training.selfcheck import FileReport
    from ldlva.training.selfcheck.golden import Comparison

bench_app = typer.Typer(no_args_is_help=True, help="Benchmarks; what counts are the ratios within one run.")


def selfcheck(
    golden: Annotated[Path, typer.Option(help="Folder of .npz files with the authors' inputs and outputs.")],
    as_json: Json = False,
) -> None:
    """Compare our losses with numbers from the original authors' code. Exit code 1 if any differs."""
    from ldlva.training import selfcheck as checks
    from ldlva.training.selfcheck.golden import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE

    reports = checks.check_folder(golden.expanduser())
    absent = checks.absent_files(golden.expanduser())
    passed = all(report.passed for report in reports)
    tolerance = {"relative": RELATIVE_TOLERANCE, "absolute": ABSOLUTE_TOLERANCE}
    if as_json:
        files = {report.name: _report_json(report) for report in reports}
        print_json({"passed": passed, "tolerance": tolerance, "files": files, "absent": absent})
    else:
        title = "Tolerance: |difference| <= {relative:g} x max|array| + {absolute:g}".format(**tolerance)
        _print_reports(reports, title)
        if absent:
            print(f"Not in {golden}: {', '.join(absent)}")
    if not passed:
        raise typer.Exit(1)


def _report_json(report: FileReport) -> dict[str, Any]:
    worst = report.worst
    relative = None if worst is None or not math.isfinite(worst.relative) else worst.relative
    return {
        "passed": report.passed,
        "arrays": len(report.comparisons),
        "worst_array": None if worst is None else worst.name,
        "largest_relative_difference": relative,
        "error": report.error,
        "differing": {c.name: _disagreement(c) for c in report.comparisons if not c.agrees},
    }


def _disagreement(comparison: Comparison) -> str:
    if comparison.expected.shape != comparison.actual.shape:
        return f"has shape {comparison.expected.shape}, ours {comparison.actual.shape}"
    if math.isinf(comparison.difference):
        return "holds values that are not finite"
    return f"differs by {comparison.difference:.3g}, relative {comparison.relative:.3g}"


def _print_reports(reports: list[FileReport], title: str) -> None:
    table = Table(box=SIMPLE, title=title, title_justify="left")
    for name in ("File", "Arrays", "Largest relative difference", "in", "Result"):
        table.add_column(name, overflow="fold")
    for report in reports:
        worst = report.worst
        if report.passed and worst is not None:
            figures = (f"{worst.relative:.2g}", escape(worst.name), "agrees")
        elif report.error is not None:
            figures = ("", "", escape(f"NOT CHECKED: {report.error}"))
        else:
            wrong = [f"{c.name} {_disagreement(c)}" for c in report.comparisons if not c.agrees]
            shown = worst is not None and math.isfinite(worst.relative)
            figures = (
                f"{worst.relative:.2g}" if worst is not None and shown else "",
                escape(worst.name) if worst is not None else "",
                escape("DIFFERS: " + "; ".join(wrong)),
            )
        table.add_row(report.name, str(len(report.comparisons)), *figures)
    Console(width=max(Console().width, 120)).print(table)


@bench_app.command("train-step")
def bench_train_step(
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each method, at most.")] = 12,
    batch_size: Annotated[int, typer.Option(min=14, help="Images per step.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; more than one only on an idle machine.")] = 1,
    fast_small_maps: Annotated[bool, typer.Option("--fast-small-maps", help="As for train.")] = False,
    as_json: Json = False,
) -> None:
    """Time a training step of cross-entropy, LDLVA and DMUE, interleaved (ResNet-18, 48 pixels)."""
    from ldlva.training.benchmark import time_train_steps

    times = time_train_steps(rounds, batch_size, threads, fast_small_maps)
    if as_json:
        print_json(times.to_json())
        return
    settings = ", ".join(f"{name} {value}" for name, value in times.settings.items())
    table = Table("Method", "ms per step", "x cross-entropy", box=SIMPLE, title=f"{settings}; {times.rounds} rounds")
    for name, value in times.seconds.items():
        table.add_row(name, f"{1000 * value:.0f}", f"{times.ratio_to_ce.get(name, 1):.2f}")
    Console(width=max(Console().width, 100)).print(table)
    print(f"Drawing and augmenting a batch takes {times.data_share_of_step:.1%} of a cross-entropy step.")
