"""The seven emotions, their order and their place in the valence-arousal plane.

A copy of the product's table: this tool runs in an environment of its own and must not import the product.
"""

from __future__ import annotations

EMOTIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")

VALENCE_AROUSAL = {
    "neutral": (0.0, 0.0),
    "happiness": (0.81, 0.51),
    "sadness": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
    "fear": (-0.64, 0.60),
    "disgust": (-0.60, 0.35),
    "anger": (-0.51, 0.59),
}

Mixture = tuple[float, ...]
"""Seven weights in the order of `EMOTIONS`, not negative, summing to 1."""


def mixture(**weights: float) -> Mixture:
    """A mixture from named weights, divided by their sum: `mixture(fear=3, surprise=2)`."""
    unknown = set(weights) - set(EMOTIONS)
    if unknown:
        raise ValueError(f"not an emotion: {sorted(unknown)}")
    total = sum(weights.values())
    return tuple(round(weights.get(e, 0.0) / total, 4) for e in EMOTIONS)


def valence_arousal(weights: Mixture, intensity: float) -> tuple[float, float]:
    """Mixture-weighted class coordinates, scaled by intensity."""
    pairs = [VALENCE_AROUSAL[e] for e in EMOTIONS]
    valence = intensity * sum(w * v for w, (v, _) in zip(weights, pairs, strict=True))
    arousal = intensity * sum(w * a for w, (_, a) in zip(weights, pairs, strict=True))
    return round(valence, 4), round(arousal, 4)
