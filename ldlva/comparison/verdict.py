"""The ranking of models in words. It is called robust only where it holds at every zero-handling constant."""

from __future__ import annotations

from collections.abc import Sequence

from ldlva.comparison.differences import FEWEST_IMAGES, Difference

MOST_NAMES = 4
"""More models than this with the same outcome are counted instead of listed: nobody reads a sentence of fifteen names,
and wherever the verdict is shown there is a table of every pair."""

_UNSETTLED = {
    "interval": "but on {images:,} faces a 95% interval of the difference includes zero",
    "correction": "and no 95% interval includes zero, but that does not survive the correction for {pairs:,} pairs",
    "test": "and no 95% interval includes zero, but a permutation test has p ≥ .05, even uncorrected",
}
"""Which condition keeps the same order at every constant from being robust."""


def verdict(raw: Sequence[Difference], calibrated: Sequence[Difference] = ()) -> list[str]:
    """The closest model against each other one, those with the same outcome in one sentence; then after temperature.

    Args:
        raw: all pairs, of the raw predictions.
        calibrated: all pairs after temperature; empty where not every model has one.
    """
    sentences = _sentences(raw)
    if calibrated and raw[0].images >= FEWEST_IMAGES:
        sentences += [f"After temperature: {sentence}" for sentence in _sentences(calibrated, continued=True)]
    return sentences


def _sentences(differences: Sequence[Difference], continued: bool = False) -> list[str]:
    """`continued`: they follow a colon, so only a model's name may begin with a capital."""
    if not differences:
        return []
    best = differences[0].closer
    against = [difference for difference in differences if difference.closer == best]
    images = against[0].images
    if images < FEWEST_IMAGES:
        names = [best, *(difference.farther for difference in against)]
        ranked = _listed(names) if len(names) <= MOST_NAMES else f"these {len(names)} models"
        return [f"Too few faces with votes ({images:,}) to rank {ranked}."]
    robust = [d for d in against if d.robust]
    dependent = [d for d in against if not d.same_order_everywhere and not d.identical]
    identical = [d for d in against if d.identical]
    result = []
    if robust:
        result.append(
            f"{best} is closer to people than {_others(robust)} at every zero-handling constant, no 95% "
            "interval of a difference includes zero, and every permutation test, corrected for the number of pairs, "
            "has p < .05: the ranking is robust."
        )
    for failing, words in _UNSETTLED.items():
        if unsettled := [d for d in against if _fails(d) == failing]:
            why = words.format(images=images, pairs=len(differences))
            result.append(
                f"{best} is closer to people than {_others(unsettled)} at every zero-handling constant, {why}: "
                "unsettled."
            )
    if dependent:
        result.append(
            f"{'whether' if continued else 'Whether'} {_alternatives(best, dependent)} is closer to people depends on "
            "the zero-handling constant: this data gives no ranking of "
            f"{'the two' if len(dependent) == 1 else 'these'}."
        )
    if identical:
        result.append(f"{best} and {_others(identical)} predict the same.")
    if contrary := [d for d in against if d.soft_disagrees]:
        result.append(
            f"{'soft' if continued else 'Soft'} cross-entropy, which takes the votes as they are, puts "
            f"{_others(contrary)} before {best}."
        )
    return result


def _fails(difference: Difference) -> str | None:
    """The first condition in `_UNSETTLED` that a difference fails; None where it is robust or has no order."""
    if difference.robust or not difference.same_order_everywhere:
        return None
    if not difference.intervals_exclude_zero:
        return "interval"
    return "correction" if difference.succeeds_uncorrected else "test"


def _others(differences: Sequence[Difference]) -> str:
    """The farther models: few by name, many by number."""
    if len(differences) <= MOST_NAMES:
        return _listed([difference.farther for difference in differences])
    return f"{len(differences)} others (see the table of every pair)"


def _alternatives(best: str, differences: Sequence[Difference]) -> str:
    if len(differences) <= MOST_NAMES:
        return _listed([best, *(difference.farther for difference in differences)], "or")
    return f"{best} or any of {_others(differences)}"


def _listed(names: Sequence[str], last: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
