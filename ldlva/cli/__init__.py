"""`python -m ldlva ...`: everything the pages do not do, or do in a child process."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from ldlva.cli import (
    access,
    agreement,
    checks,
    compare,
    embedding,
    exploring,
    methods,
    models,
    predictions,
    report,
    studies,
    table1,
    targets,
    training,
)
from ldlva.errors import LdlvaError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(studies.app, name="study")
studies.app.command("follow-up")(exploring.follow_up_study)
app.add_typer(models.app, name="models")
app.add_typer(predictions.app, name="predictions")
app.add_typer(studies.database_app, name="db")
app.add_typer(checks.bench_app, name="bench")
app.command()(training.train)
app.command()(training.predict)
app.command()(training.evaluate)
app.command()(table1.table1)
app.command()(targets.targets)
app.command()(methods.methods)
app.command()(compare.compare)
app.command()(agreement.agreement)
app.command()(report.report)
app.command()(embedding.embed)
app.command()(checks.selfcheck)
app.command()(access.password)


NOT_FOR_SURVEYS = frozenset({"torch", "torchvision", "safetensors"})
"""Packages that an installation of requirements-survey.txt lacks."""


def main() -> None:
    """Run a command; an expected error is one line on standard error and exit code 1."""
    try:
        app()
    except LdlvaError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name not in NOT_FOR_SURVEYS:
            raise
        # The Training page looks for the first half in what `methods` says.
        _fail(f"No module named {error.name!r}. What trains or asks models needs pip install -r requirements.txt")


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(1)
