from __future__ import annotations

import numpy as np

from ldlva.datasets.listing import held_out


def test_a_hold_out_depends_on_names_and_labels_alone() -> None:
    names = [f"{i}.jpg" for i in range(500)]
    labels = np.repeat([0, 1, 2], [400, 98, 2])
    part = held_out(names, labels, [0.1, 0.2])
    order = np.random.default_rng(0).permutation(500)
    np.testing.assert_array_equal(held_out([names[i] for i in order], labels[order], [0.1, 0.2]), part[order])
    assert [int((part[labels == c] == 0).sum()) for c in range(3)] == [40, 10, 0]
    assert [int((part[labels == c] == 1).sum()) for c in range(3)] == [80, 20, 0]
    first = np.flatnonzero(part == 0)
    assert 50 < np.median(first) < 400  # not the first by name
