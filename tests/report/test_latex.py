"""What is printed is valid LaTeX whatever names people give, and says numbers and names in one way."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ldlva.comparison.calibration import Temperature
from ldlva.inference import Estimate
from ldlva.measures import ACCURACY
from ldlva.report import methods_text, tables
from ldlva.report.source import ModelFacts
from ldlva.survey.comparing import StudyComparison
from ldlva.wording import counted, data_part, data_set, grouped
from tests.report.fabricated import compared, report_source

NASTY = "a_b & 5% of #1 {x} ~^\\ $y$ <|>"
MODELS = ["near_ce", f"far {NASTY}"]
FACTS = {
    MODELS[0]: ModelFacts("ce", "mobilenet_v2_050", "ferplus train"),
    MODELS[1]: ModelFacts("ldlva", "mobilenet_v2_050", "ferplus train"),
}


@pytest.fixture
def found() -> StudyComparison:
    """A cross-entropy and an LDLVA model of one backbone, the latter less accurate, with differences below zero."""
    result = compared(MODELS)
    near, far = result.comparison.models
    worse = replace(far.raw, estimates=far.raw.estimates | {ACCURACY: Estimate(near.accuracy - 0.1905, 0.0, 1.0)})
    [pair] = result.comparison.differences
    crossing = {key: Estimate(-0.001, -1.5, 0.5) for key in pair.estimates}
    comparison = replace(
        result.comparison,
        models=(near, replace(far, raw=worse)),
        differences=(replace(pair, estimates=crossing),),
        calibrated_differences=(),
    )
    return replace(result, comparison=comparison)


def plain(text: str) -> str:
    """LaTeX without what is valid in text: comments, formulas, commands with their braces, escaped signs."""
    text = re.sub(r"^%.*$", "", text.replace(tables.SHRUNK, "").replace("tabular}}", "tabular}"), flags=re.MULTILINE)
    text = re.sub(r"\\setlength\{\\tabcolsep\}", "", text)
    text = re.sub(r"\{\\scriptsize ([^{}]*)\}", r"\1", text)
    text = re.sub(r"(?<!\\)\$[^$]*(?<!\\)\$", "", text)
    text = re.sub(r"\\(?:begin|end|label)\{[^}]*\}(?:\{l?r*\}|\[t\])?", "", text)
    text = re.sub(r"\\[&%$#_{}]", "", text)
    text = text.replace(r"\\", "")
    while (shorter := re.sub(r"\\[a-z]+\*?\{([^{}]*)\}", r"\1", text)) != text:  # the innermost first
        text = shorter
    return re.sub(r"\\[a-z]+\*?", "", text)


def assert_valid(text: str, separators: str) -> None:
    left = set(re.findall(r"[_^#%&~${}\\<>|]|[^\x00-\x7f]", plain(text)))
    assert left <= set(separators), left


def test_no_text_of_any_table_holds_an_unescaped_special_character(found: StudyComparison, tmp_path: Path) -> None:
    for table in tables.tables(found.comparison, FACTS, NASTY):
        tables.write_table(table, tmp_path)
    written = sorted(tmp_path.glob("*.tex"))
    assert [path.stem for path in written] == ["differences", "measures", "table1_accuracy", "table2_jeffreys"]
    for path in written:
        text = path.read_text()
        assert_valid(text, separators="&")
        assert tables.latex(NASTY) in text
        columns = len(re.search(r"begin\{tabular\}\{(\w+)\}", text)[1])  # type: ignore[index]
        for row in (line for line in text.splitlines() if line.endswith(r" \\")):
            assert len(re.findall(r"(?<!\\)&", row)) == columns - 1


def test_a_table_fits_on_a_page(found: StudyComparison, tmp_path: Path) -> None:
    """Intervals stand below their values, and what is too wide nevertheless, by long names, shrinks."""
    written = {table.name: table for table in tables.tables(found.comparison, FACTS, "study")}
    [values, intervals] = written["table2_jeffreys"].printed[:2]
    assert values[0] == r"near\_ce"
    assert "[" not in "".join(values)
    assert intervals[0] == ""
    assert all(re.fullmatch(r"\{\\scriptsize \[[^\]]+\]\}", cell) for cell in intervals[1:7])
    assert max(len(head) for head in written["measures"].heads) <= len("Chebyshev")
    tables.write_table(written["measures"], tmp_path)
    text = (tmp_path / "measures.tex").read_text()
    assert "EMD: earth mover's distance" in text
    assert text.index(r"\resizebox{\ifdim\width>\linewidth") < text.index(r"\begin{tabular}")


def test_the_methods_hold_no_unescaped_special_character(found: StudyComparison) -> None:
    text = methods_text.tex(report_source(found, NASTY, FACTS), found.comparison)
    assert_valid(text, separators="")
    assert tables.latex(NASTY) in text


def test_the_check_itself_finds_what_is_not_escaped() -> None:
    for wrong in ("a_b", "5%", "a & b", "x^2", "{x}", "~", "<", "ε"):
        with pytest.raises(AssertionError):
            assert_valid(f"text {wrong} text", separators="")


def test_a_minus_is_no_hyphen_and_zero_has_no_sign(found: StudyComparison, tmp_path: Path) -> None:
    printed = {table.name: table.printed for table in tables.tables(found.comparison, FACTS, "study")}
    [gain] = printed["table1_accuracy"]
    assert gain[0] == r"mobilenet\_v2\_050, FER+ train"
    assert gain[-1] == "$-$19.05"
    pair, intervals = printed["differences"]
    assert pair[1] == "0.00"
    assert intervals[1] == r"{\scriptsize [$-$1.50, 0.50]}"
    for rows in printed.values():
        for row in rows:
            assert not [cell for cell in row[1:] if re.search(r"(?<!\$)-\d", cell)]
    assert tables.number(1.234, 2, signed=True) == "$+$1.23"


def test_the_methods_write_data_sets_and_numbers_as_people_do(found: StudyComparison) -> None:
    notes = ("3503 of 41280 votes for emotions are left out here.",)
    one = replace(report_source(found, "Survey of 2024", FACTS), volunteers=1234)
    one = replace(one, aligned=replace(one.aligned, notes=notes))
    fitted = Temperature(1.5, "ferplus valid, 3503 faces, human votes")
    models = tuple(replace(model, temperature=fitted) for model in found.comparison.models)
    comparison = replace(found.comparison, models=models, tied_faces=1, left_out={"without votes": 1500})
    text = methods_text.markdown(one, comparison)
    assert "rated by 1,234 volunteers who took part on the study's page and votes imported from FER+; 24 faces" in text
    assert "trained on FER+ train" in text
    assert "fitted on FER+ valid, 3,503 faces, human votes" in text
    assert "3,503 of 41,280 votes" in text
    assert "(1 face has ties)" in text
    assert "left out: 1,500 faces without votes" in text
    assert "“Survey of 2024”" in text
    assert "ferplus " not in text
    methods = text.split("# Result in words")[0].split("# References")[0]
    years = r"(1946|1977|1988|1979|2012|2016|2017|2021|2023|2024)"
    assert not re.findall(rf"(?<![\d,.])(?!{years}\b)\d{{4,}}", methods)
    several = methods_text.markdown(one, replace(comparison, tied_faces=2000))
    assert "(2,000 faces have ties)" in several


def test_words() -> None:
    assert [counted(n, "face") for n in (0, 1, 3503)] == ["0 faces", "1 face", "3,503 faces"]
    assert data_set("rafdb") == "RAF-DB"
    assert data_set("a file") == "a file"
    assert data_part("the votes of the other half of these faces") == "the votes of the other half of these faces"
    assert data_part("") == ""
    assert grouped("In 2024 FER2013 had 35887 faces (0.12345 faces of model-2000 faces).") == (
        "In 2024 FER2013 had 35,887 faces (0.12345 faces of model-2000 faces)."
    )
