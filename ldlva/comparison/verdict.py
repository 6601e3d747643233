"""The ranking of models in words. It is called robust only where it holds at every zero-handling constant."""

from __future__ import annotations

from collections.abc import Sequence

from ldlva.comparison.differences import FEWEST_IMAGES, Difference


def verdict(raw: Sequence[Difference], calibrated: Sequence[Difference] = ()) -> list[str]:
    """The closest model against each other one, those with the same outcome in one sentence; then after temperature.

    Args:
        raw: all pairs, of the raw predictions.
        calibrated: all pairs after temperature; empty where not every model has one.
    """
    sentences = _sentences(raw)
    if calibrated and raw[0].images >= FEWEST_IMAGES:
        sentences += [f"After temperature: {sentence}" for sentence in _sentences(calibrated)]
    return sentences


def _sentences(differences: Sequence[Difference]) -> list[str]:
    if not differences:
        return []
    best = differences[0].closer
    against = [difference for difference in differences if difference.closer == best]
    images = against[0].images
    if images < FEWEST_IMAGES:
        return [f"Too few faces with votes ({images}) to rank {_names([best, *_farther(against)])}."]
    robust = [d for d in against if d.robust]
    unsettled = [d for d in against if d.same_order_everywhere and not d.robust]
    identical = [d for d in against if d.identical]
    dependent = [d for d in against if not d.same_order_everywhere and not d.identical]
    result = []
    if robust:
        result.append(
            f"{best} is closer to people than {_names(_farther(robust))} at every zero-handling constant, no 95% "
            "interval of a difference includes zero, and every permutation test, corrected for the number of pairs, "
            "has p < .05: the ranking is robust."
        )
    if unsettled:
        result.append(
            f"{best} is closer to people than {_names(_farther(unsettled))} at every zero-handling constant, but on "
            f"{images} faces a 95% interval includes zero or a corrected permutation test has p ≥ .05: unsettled."
        )
    if dependent:
        result.append(
            f"Whether {best} or {_names(_farther(dependent), 'or')} is closer to people depends on the zero-handling "
            f"constant: this data gives no ranking of {'the two' if len(dependent) == 1 else 'these'}."
        )
    if identical:
        result.append(f"{best} and {_names(_farther(identical))} predict the same.")
    if contrary := [d for d in against if d.soft_disagrees]:
        result.append(
            f"Soft cross-entropy, which takes the votes as they are, puts {_names(_farther(contrary))} before {best}."
        )
    return result


def _farther(differences: Sequence[Difference]) -> list[str]:
    return [difference.farther for difference in differences]


def _names(names: Sequence[str], last: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
