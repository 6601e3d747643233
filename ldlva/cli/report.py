"""Everything about a comparison that a paper needs, as files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ldlva.cli.training import ProgressPath
from ldlva.errors import LdlvaError
from ldlva.jobs import ProgressFile
from ldlva.survey.open import open_repository


def report(
    study: Annotated[str | None, typer.Option(help="Name of the study.")] = None,
    from_: Annotated[Path | None, typer.Option("--from", help="Folder of an earlier report: its data again.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the files.")] = None,
    zip_: Annotated[Path | None, typer.Option("--zip", help="The same as one ZIP archive.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Compare these only. May be repeated. Default: all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of resampling and permutations. Default: 0, or as before.")] = None,
    progress: ProgressPath = None,
) -> None:
    """Write figures (SVG, PDF, PNG), tables (CSV, LaTeX), a methods paragraph, and the data that makes them again."""
    from ldlva.report.build import pack, write_report
    from ldlva.report.source import from_study, read_source, with_seed

    if (study is None) == (from_ is None):
        raise LdlvaError("Name either a study with --study, or an earlier report's folder with --from.")
    if out is None and zip_ is None:
        raise LdlvaError("Say where to with --out FOLDER, or --zip FILE, or both.")
    if from_ is not None and model:
        raise LdlvaError("--model goes with --study: an earlier report has its models already.")
    telling = ProgressFile(progress)
    telling("Reading votes and predictions")
    if from_ is not None:
        source = with_seed(read_source(from_), seed)
    else:
        repository = open_repository()
        source = from_study(repository, repository.study(str(study)), model, seed or 0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch) / "report"
        write_report(source, folder, telling)
        if zip_ is not None:
            pack(folder, zip_)
    print(f"Wrote {out or zip_}")
