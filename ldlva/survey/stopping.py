"""When a face has enough votes, and how many more it is likely to need. Pure rules."""

from __future__ import annotations

import math

from ldlva.survey.protocol_sections import Stopping

Z = 1.959963984540054
"""Two-sided 95% of the normal distribution."""


def half_width(top: float, votes: float) -> float:
    """Half the width of the 95% Wilson score interval of a share (Wilson 1927, "Probable inference").

    Args:
        top: the observed share in [0, 1].
        votes: how many votes it rests on, above 0.
    """
    spread = top * (1 - top) / votes + Z**2 / (4 * votes**2)
    return Z * math.sqrt(spread) / (1 + Z**2 / votes)


def votes_needed(stopping: Stopping, top_votes: int, votes: int) -> int | None:
    """How many votes a face needs in all, as far as its present votes can tell; None without a stopping rule.

    Under `precision`, the number at which the interval of the most frequent answer's share becomes narrow enough if
    that share stays as it is. It moves with every vote: until the face has it, it is a projection.

    Args:
        stopping: the study's rule.
        top_votes: votes for the most frequent answer, "none of these" included.
        votes: all votes of the face.
    """
    if stopping.rule == "none":
        return None
    if stopping.rule == "quota":
        return stopping.votes_per_face
    if stopping.half_width is None or stopping.most_votes is None:
        raise ValueError("the precision rule needs half_width and most_votes")
    if votes == 0:
        return stopping.fewest_votes
    share = top_votes / votes
    low, high = max(votes, stopping.fewest_votes), max(votes, stopping.most_votes)
    # The width falls with the number of votes at a fixed share: halve the range.
    while low < high:
        middle = (low + high) // 2
        if half_width(share, middle) <= stopping.half_width:
            high = middle
        else:
            low = middle + 1
    return min(low, max(votes, stopping.most_votes))
