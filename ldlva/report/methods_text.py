"""The methods paragraph of a report, in Markdown and LaTeX, with every constant that the numbers depend on."""

from __future__ import annotations

from ldlva.comparison.comparison import CORRELATION_REPLICATES, REPLICATES, Comparison
from ldlva.comparison.floors import FEWEST_SPLITS, SPLITS
from ldlva.inference import FEWEST_REDRAWS, POOL
from ldlva.measures import EARTH_MOVERS, GRID, HEADLINE
from ldlva.permutation import FLIPS, MOST_ENUMERATED
from ldlva.report.source import ModelFacts, ReportSource
from ldlva.report.tables import latex
from ldlva.wording import counted, data_part, data_set, grouped

SOURCES = {
    "Jeffreys": "H. Jeffreys (1946). An invariant form for the prior probability in estimation problems. Proc. R. "
    "Soc. A 186.",
    "Le": "N. Le et al. (2023). Uncertainty-aware label distribution learning for facial expression recognition. WACV.",
    "Geng": "X. Geng (2016). Label distribution learning. IEEE TKDE 28(7).",
    "Resnick": "P. Resnick et al. (2021). Survey equivalence: a procedure for measuring classifier accuracy against "
    "human labels. arXiv:2106.01254.",
    "Rao": "J. N. K. Rao and C. F. J. Wu (1988). Resampling inference with complex survey data. JASA 83.",
    "Holm": "S. Holm (1979). A simple sequentially rejective multiple test procedure. Scand. J. Statist. 6.",
    "Guo": "C. Guo et al. (2017). On calibration of modern neural networks. ICML.",
    "Russell": "J. A. Russell and A. Mehrabian (1977). Evidence for a three-factor theory of emotions. J. Res. "
    "Pers. 11.",
}


def paragraphs(source: ReportSource, comparison: Comparison) -> list[str]:
    """Plain sentences, paragraph by paragraph."""
    low, high = comparison.votes_per_image
    votes = counted(high, "vote") if low == high else f"{low:,} to {counted(high, 'vote')}"
    raters = []
    if source.volunteers:
        raters.append(f"{counted(source.volunteers, 'volunteer')} who took part on the study's page")
    if source.imported_raters:
        raters.append(f"votes imported from {data_set(str(source.origin.get('source', 'a file')))}")
    left_out = "; ".join(f"{counted(count, 'face')} {reason}" for reason, count in comparison.left_out.items() if count)
    models = "; ".join(f"{name} ({_facts(one)})" for name, one in source.facts.items())
    labels = ", ".join(source.aligned.votes.labels)
    faces, were = counted(len(comparison.rows), "face"), "was" if len(comparison.rows) == 1 else "were"
    has_circumplex = any(EARTH_MOVERS in model.estimates for model in comparison.models)
    emd = (
        ", the earth mover's distance with Euclidean cost between the labels' valence and arousal (Russell & Mehrabian "
        "1977), computed exactly"
        if has_circumplex
        else ""
    )
    result = [
        f"Faces were rated by {' and '.join(raters) or 'nobody'}; {faces} of the study "
        f"“{source.title}” with {votes} each for one of {labels} {were} compared"
        f"{f' (left out: {left_out})' if left_out else ''}. Votes for “none of these” belong to no "
        "distribution. A face's "
        f"human distribution d is the share of its votes; f is a model's prediction. Models: {models}.",
        "The primary measure is the mean over faces of the Jeffreys divergence Σ (d − f) ln(d / f) (Jeffreys "
        "1946; Le et "
        "al. 2023, supplement). Because it is infinite where a count is zero, both distributions were clipped "
        "from below "
        f"at ε and renormalised; results are given at ε = {', '.join(GRID)}, the headline value being {HEADLINE}. "
        "Co-primary is the soft cross-entropy − Σ d ln f (f clipped at 1e-7), which is unbiased at any number of "
        f"raters. Further measures: Jensen–Shannon divergence, total variation{emd}, Chebyshev, Clark, Canberra, "
        "Kullback–Leibler, cosine and intersection (Geng 2016), Spearman's correlation of entropies, and accuracy "
        "against the most-voted label, a label tied for most votes counting as right "
        f"({counted(comparison.tied_faces, 'face has ties', 'faces have ties')}).",
        f"95% intervals are from a paired bootstrap with {REPLICATES:,} replicates that draws faces with "
        "replacement and, "
        "within each drawn face, as many raters as voted on it from its observed distribution (from a pool of "
        f"at least {FEWEST_REDRAWS:,} redraws of every face and {POOL:,} in all); replicates were centred on the "
        "observed mean and rescaled to the standard error over faces (Rao & Wu 1988) with Student's t; the entropy "
        f"correlation draws faces only, {CORRELATION_REPLICATES:,} replicates. Pairs of models were tested by paired "
        f"sign flips over faces ({FLIPS:,} random ones; all of them up to {MOST_ENUMERATED:,} faces), with Holm's "
        "(1979) correction for all pairs within a measure. A ranking is called robust only if it holds at every ε with "
        "an interval that excludes zero and a corrected p < .05.",
        "Reference rows: a perfect model (votes redrawn from the observed distributions against those), split-half "
        f"people (random halves of equal size of each face's raters, at least {FEWEST_SPLITS:,} splits a face and "
        f"{SPLITS:,} in all), class frequencies (mean distribution of the other faces) and uniform. A model is worth k "
        "raters if the mean of k people's votes misses the crowd's distribution by as much as the model in expected "
        "squared distance: k = mean(1 − p·p) / mean |f − p|², both estimated without bias from the votes (survey "
        "equivalence, Resnick et al. 2021, with the quadratic score).",
    ]
    if any(model.temperature for model in comparison.models):
        temperatures = "; ".join(
            f"{model.name} T = {model.temperature.value:.3f} (fitted on {data_part(model.temperature.fitted_on)})"
            for model in comparison.models
            if model.temperature
        )
        result.append(
            "Calibrated versions divide the logits by a temperature that minimises soft cross-entropy (Guo et "
            "al. 2017) "
            f"on other faces than those it is applied to: {temperatures}."
        )
    result += map(grouped, source.aligned.notes)
    result.append(f"All random draws use seed {source.seed}. Computed with {source.made_with}.")
    return result


def _facts(one: ModelFacts) -> str:
    """A model in brackets."""
    trained = f"trained on {data_part(one.trained_on)}" if one.trained_on else ""
    return ", ".join(filter(None, (one.method, one.backbone, trained)))


def markdown(source: ReportSource, comparison: Comparison) -> str:
    """The paragraphs, the verdict and the references."""
    parts = ["# Methods", *paragraphs(source, comparison)]
    if comparison.differences:
        parts += ["# Result in words", *comparison.verdict()]
    return "\n\n".join([*parts, "# References", "\n".join(f"- {text}" for text in SOURCES.values())]) + "\n"


def tex(source: ReportSource, comparison: Comparison) -> str:
    """The same as LaTeX sections."""
    parts = [r"\section*{Methods}", *map(latex, paragraphs(source, comparison))]
    if comparison.differences:
        parts += [r"\section*{Result in words}", *map(latex, comparison.verdict())]
    references = "\n".join(f"\\item {latex(text)}" for text in SOURCES.values())
    items = f"\\begin{{itemize}}\n{references}\n\\end{{itemize}}"
    return "\n\n".join([*parts, r"\section*{References}", items]) + "\n"
