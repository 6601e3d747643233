"""Which condition keeps a ranking from being robust is said, and many models are counted instead of listed."""

from __future__ import annotations

from ldlva.comparison.differences import Difference
from ldlva.comparison.verdict import verdict
from ldlva.inference import Estimate
from ldlva.measures import GRID, SOFT

CLEAR = Estimate(0.3, 0.1, 0.5)
OPEN = Estimate(0.1, -0.1, 0.3)
REVERSED = Estimate(-0.1, -0.3, 0.1)
NOTHING = Estimate(0.0, 0.0, 0.0)


def pair(
    farther: str, value: Estimate = CLEAR, p: float = 0.001, adjusted: float = 0.001, soft: Estimate = CLEAR
) -> Difference:
    """The model "best" against another; the first constant has `value`, the others are clear."""
    keys = (*GRID, SOFT)
    estimates = dict.fromkeys(keys, NOTHING if value == NOTHING else CLEAR) | {GRID[0]: value}
    estimates[SOFT] = NOTHING if value == NOTHING else soft
    return Difference("best", farther, 1234, estimates, dict.fromkeys(keys, p), dict.fromkeys(keys, adjusted))


def test_the_condition_that_fails_is_said() -> None:
    assert verdict([pair("a", OPEN), pair("b", p=0.01, adjusted=0.2), pair("c", p=0.06, adjusted=0.2), pair("d")]) == [
        "best is closer to people than d at every zero-handling constant, no 95% interval of a difference includes "
        "zero, and every permutation test, corrected for the number of pairs, has p < .05: the ranking is robust.",
        "best is closer to people than a at every zero-handling constant, but on 1,234 faces a 95% interval of the "
        "difference includes zero: unsettled.",
        "best is closer to people than b at every zero-handling constant, and no 95% interval includes zero, but that "
        "does not survive the correction for 4 pairs: unsettled.",
        "best is closer to people than c at every zero-handling constant, and no 95% interval includes zero, but a "
        "permutation test has p ≥ .05, even uncorrected: unsettled.",
    ]


def test_many_models_are_counted_and_a_few_are_named() -> None:
    few = [pair(name) for name in "abcd"]
    assert "than a, b, c and d at every" in verdict(few)[0]
    for value in (CLEAR, OPEN, REVERSED, NOTHING):
        [sentence] = verdict([pair(f"model{i}", value) for i in range(15)])
        assert "15 others (see the table of every pair)" in sentence
        assert "model" not in sentence
    assert "whether best or any of 15 others" in verdict(few, [pair(f"m{i}", REVERSED) for i in range(15)])[-1]


def test_only_the_name_of_a_model_may_begin_a_continued_sentence_with_a_capital() -> None:
    pairs = [pair("a", REVERSED), pair("b", REVERSED), pair("Soft", soft=Estimate(-0.2, -0.3, -0.1))]
    raw = verdict(pairs)
    assert raw[1] == (
        "Whether best, a or b is closer to people depends on the zero-handling constant: this data gives no ranking of "
        "these."
    )
    assert raw[2].startswith("Soft cross-entropy, which")
    after = [sentence.removeprefix("After temperature: ") for sentence in verdict(pairs, pairs)[3:]]
    assert after == [raw[0], raw[1].replace("W", "w"), raw[2].replace("Soft c", "soft c")]


def test_many_models_on_too_few_faces_are_counted() -> None:
    few = [Difference("best", name, 3, {}, {}, {}) for name in "abcd"]
    assert verdict(few) == ["Too few faces with votes (3) to rank these 5 models."]
