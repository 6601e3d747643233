"""Writing a whole report: all of it, or nothing."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

from ldlva.errors import SurveyError
from ldlva.jobs import ProgressFile
from ldlva.new_folder import check_new_folder, new_folder
from ldlva.report import methods_text, plots, tables
from ldlva.report.source import ReportSource, write_source
from ldlva.survey.comparing import compare_aligned

WHAT = "The report"

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every member of an archive: the same report is the same file."""


def write_report(source: ReportSource, folder: Path, telling: ProgressFile) -> None:
    """Compute the comparison and write every file.

    Raises:
        SurveyError: nothing to compare, the folder is not empty, or it cannot be written.
    """
    check_new_folder(folder, WHAT, SurveyError)
    compared = compare_aligned(
        source.aligned, source.title, source.seed, telling.within("Comparing models with people")
    )
    comparison = compared.comparison
    with new_folder(folder, WHAT, SurveyError) as scratch:
        telling("Writing data and tables")
        write_source(source, scratch / "data")
        results = {"study": source.name, **compared.to_json()}
        (scratch / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        for table in tables.tables(comparison, source.facts, source.title):
            tables.write_table(table, scratch / "tables")
        (scratch / "methods.md").write_text(methods_text.markdown(source, comparison), encoding="utf-8")
        (scratch / "methods.tex").write_text(methods_text.tex(source, comparison), encoding="utf-8")
        telling("Drawing figures")
        plots.draw_all(compared, scratch / "figures")
        files = sorted(path for path in scratch.rglob("*") if path.is_file())
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(scratch)}\n" for path in files]
        (scratch / "SHA256SUMS").write_text("".join(sums))


def pack(folder: Path, archive: Path) -> None:
    """A report's folder as one ZIP archive.

    Raises:
        SurveyError: it cannot be written.
    """
    archive = archive.resolve()  # "." has no name
    part = archive.parent / f".{archive.name}.part"
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                file.writestr(
                    zipfile.ZipInfo(str(Path("report") / path.relative_to(folder)), _EPOCH), path.read_bytes()
                )
        part.replace(archive)
    except OSError as error:
        raise SurveyError(f"{archive} cannot be written: {error.strerror}.") from None
