"""Where a training image's valence and arousal come from.

No valence-arousal network ships in any package, so unless the data set has coordinates or the researcher gives a file,
they are *pseudo*: class probabilities of a cross-entropy teacher that never saw the image, times the class coordinates
of `ldlva.emotions`. Had it seen the image, every neighbourhood would be its class.
"""

from __future__ import annotations

from pathlib import Path

from ldlva.distributions import FloatArray
from ldlva.emotions import valence_arousal_coordinates
from ldlva.training.image_table import read_image_table, write_image_table

COLUMNS = ("valence", "arousal")


def read_valence_arousal(path: Path, names: tuple[str, ...]) -> FloatArray:
    """Read `name,valence,arousal` and return `[N, 2]` in [-1, 1] in the order of `names`; other names are ignored.

    Raises:
        TrainingError: as `read_image_table`.
    """
    return read_image_table(path, names, COLUMNS, -1, 1)


def write_valence_arousal(path: Path, names: tuple[str, ...], coordinates: FloatArray) -> None:
    """Write the file `read_valence_arousal` reads."""
    write_image_table(path, names, COLUMNS, coordinates)


def pseudo_valence_arousal(posteriors: FloatArray) -> FloatArray:
    """Expected class coordinates `[N, 2]` under class probabilities `[N, C]`."""
    return posteriors @ valence_arousal_coordinates()
