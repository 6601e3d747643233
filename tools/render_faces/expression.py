"""Facial expressions as weights of ARKit-named face units, after the EMFACS prototypes.

Each emotion has one or more forms, because anger with pressed lips and anger with bared teeth are both anger. A face is
a weighted sum of forms; numbers in comments are FACS action units.
"""

from __future__ import annotations

import math

import numpy as np

from .assets import Weights
from .emotions import EMOTIONS, Mixture

PAIRED = frozenset(
    "browDown browOuterUp cheekSquint eyeBlink eyeLookDown eyeSquint eyeWide mouthDimple mouthFrown mouthLowerDown "
    "mouthPress mouthSmile mouthStretch mouthUpperUp noseSneer".split()
)
"""Units with a left and a right target."""

# A resting face in this model reads as stern: the mouth corners hang and the brow is heavy. These lift it a little.
REST = {"mouthSmile": 0.13, "browInnerUp": 0.16, "browOuterUp": 0.10, "eyeWide": 0.06}

FORMS: dict[str, tuple[dict[str, float], ...]] = {
    "neutral": ({},),
    "happiness": (
        # 6+12+25
        dict(
            mouthSmile=0.85,
            cheekSquint=0.9,
            eyeSquint=0.45,
            mouthUpperUp=0.45,
            mouthLowerDown=0.7,
            jawOpen=0.04,
            browOuterUp=0.15,
        ),
        # 6+12, lips together
        dict(mouthSmile=0.95, cheekSquint=0.8, eyeSquint=0.4, mouthDimple=0.3, mouthPress=0.15, browOuterUp=0.12),
        # 6+12+26, a laugh
        dict(
            mouthSmile=0.9,
            cheekSquint=1.0,
            eyeSquint=0.6,
            mouthUpperUp=0.5,
            mouthLowerDown=0.6,
            jawOpen=0.2,
            browOuterUp=0.2,
        ),
    ),
    "sadness": (
        # 1+4+15+17
        dict(
            browInnerUp=2.3,
            browOuterUp=-0.5,
            browDown=0.3,
            mouthFrown=1.25,
            mouthShrugLower=0.5,
            eyeBlink=0.06,
            eyeLookDown=0.08,
            eyeSquint=0.15,
        ),
        # 1+4+15, lids low, no pout
        dict(
            browInnerUp=2.2,
            browOuterUp=-0.55,
            browDown=0.2,
            mouthFrown=1.15,
            mouthShrugLower=0.2,
            eyeBlink=0.12,
            eyeLookDown=0.2,
        ),
    ),
    "surprise": (
        # 1+2+5+26
        dict(browInnerUp=1.5, browOuterUp=1.5, eyeWide=1.0, jawOpen=0.55, mouthFunnel=0.2),
        dict(browInnerUp=1.3, browOuterUp=1.6, eyeWide=0.9, jawOpen=0.34, mouthFunnel=0.1),
    ),
    "fear": (
        # 1+2+4+5+20+25
        dict(
            browInnerUp=2.0,
            browOuterUp=0.15,
            browDown=0.4,
            eyeWide=1.25,
            mouthStretch=1.1,
            mouthLowerDown=0.8,
            jawOpen=0.2,
            mouthFrown=0.35,
        ),
        # 1+2+4+5+20, lips hardly apart
        dict(
            browInnerUp=2.0,
            browOuterUp=0.1,
            browDown=0.5,
            eyeWide=1.3,
            mouthStretch=1.3,
            mouthLowerDown=0.5,
            jawOpen=0.06,
            mouthFrown=0.4,
        ),
    ),
    "disgust": (
        # 9+10+17: nose and upper lip carry it, the brow stays out so that it is not read as anger
        dict(
            noseSneer=2.1,
            mouthUpperUp=1.1,
            browDown=0.12,
            eyeSquint=0.85,
            cheekSquint=1.2,
            mouthFrown=0.55,
            mouthShrugLower=0.6,
            eyeBlink=0.22,
        ),
        # 9+10+25+26: mouth open, as if to spit
        dict(
            noseSneer=2.0,
            mouthUpperUp=1.3,
            browDown=0.1,
            eyeSquint=0.8,
            cheekSquint=1.2,
            mouthFrown=0.5,
            mouthLowerDown=0.5,
            jawOpen=0.2,
            eyeBlink=0.25,
        ),
    ),
    "anger": (
        # 4+5+7+23+24: the brow carries it, the nose stays out so that it is not read as disgust
        dict(
            browDown=2.0,
            browOuterUp=0.1,
            eyeSquint=0.5,
            eyeWide=0.55,
            noseSneer=0.4,
            mouthPress=1.0,
            mouthRollLower=0.4,
            mouthFrown=0.6,
            jawForward=0.4,
        ),
        # 4+5+7+10+22+25: bared teeth
        dict(
            browDown=1.9,
            browOuterUp=0.15,
            eyeSquint=0.45,
            eyeWide=0.65,
            noseSneer=0.6,
            mouthUpperUp=0.5,
            mouthLowerDown=1.0,
            mouthStretch=0.4,
            jawOpen=0.16,
            mouthFrown=0.3,
        ),
    ),
}

# What head and eyes do along with the face, in degrees: pitch is down, gaze is up. Small, but it is a large part of how
# sadness, fear and disgust are told apart at a glance.
HEAD_PITCH = {"sadness": 3.0, "fear": -2.5, "disgust": -3.0, "anger": 3.5, "surprise": -1.0}
GAZE_PITCH = {"sadness": -6.0, "anger": 2.5, "disgust": -3.0}
GAZE_YAW = {"disgust": 5.0, "fear": 2.0}


def compensation(weights: Mixture) -> float:
    """Gain that makes a blend as strong as its parts.

    In a linear sum half of one expression and half of another look weaker than either. The gain is 1 for one emotion
    and grows with the spread of the weights that are not neutral.
    """
    active = [w for e, w in zip(EMOTIONS, weights, strict=True) if e != "neutral"]
    total, norm = sum(active), math.sqrt(sum(w * w for w in active))
    return (total / norm) ** 0.6 if norm else 1.0


def units(weights: Mixture, intensity: float, forms: tuple[int, ...], seed: int) -> Weights:
    """Face-unit weights of one face, both sides, as `faceunits/...` targets.

    Args:
        weights: the expression mixture.
        intensity: 0.7 to 1.05 in the sets; about 0.3 is slight, 1.1 strong.
        forms: which form of each emotion, in the order of `EMOTIONS`; taken modulo the number of forms.
        seed: drives the asymmetry and the small personal deviation of every unit.
    """
    rng = np.random.default_rng([seed, 2])
    gain = intensity * compensation(weights)
    # the lift of the resting face gives way to the expression
    calm = 1 - 0.85 * (1 - weights[EMOTIONS.index("neutral")])
    total = {unit: value * calm for unit, value in REST.items()}
    for emotion, weight, form in zip(EMOTIONS, weights, forms, strict=True):
        options = FORMS[emotion]
        for unit, value in options[form % len(options)].items():
            total[unit] = total.get(unit, 0.0) + gain * weight * value
    out: Weights = {}
    lean = rng.normal(0, 0.07)  # one side is a little stronger, all over the face
    for unit, value in sorted(total.items()):
        value *= math.exp(rng.normal(0, 0.08))
        if unit in PAIRED:
            skew = float(np.clip(lean + rng.normal(0, 0.06), -0.2, 0.2))
            out[f"faceunits/{unit}Left"] = value * (1 + skew)
            out[f"faceunits/{unit}Right"] = value * (1 - skew)
        else:
            out[f"faceunits/{unit}"] = value
    return out


def accompaniment(table: dict[str, float], weights: Mixture, intensity: float) -> float:
    """Mixture-weighted head or gaze angle in degrees."""
    return intensity * sum(w * table.get(e, 0.0) for e, w in zip(EMOTIONS, weights, strict=True))


def wrinkles(face: Weights, age: float) -> dict[str, float]:
    """How deep each group of wrinkles is, about 0 to 1.3, from the units that fold the skin there and from age."""

    def u(unit: str) -> float:
        if unit in PAIRED:
            return max(0.0, 0.5 * (face.get(f"faceunits/{unit}Left", 0.0) + face.get(f"faceunits/{unit}Right", 0.0)))
        return max(0.0, face.get(f"faceunits/{unit}", 0.0))

    soft = 0.45 + 0.55 * age
    late = max(0.0, age - 0.3)
    brow_raise = 0.28 * max(0.0, u("browInnerUp") - 0.3) + 0.4 * max(0.0, u("browOuterUp") - 0.15)
    pull = 0.5 * u("mouthSmile") + 0.22 * u("noseSneer") + 0.15 * u("mouthUpperUp") + 0.15 * u("mouthStretch")
    return {
        "forehead": 0.5 * late + soft * min(1.0, brow_raise),
        "glabella": 0.25 * late + soft * min(1.2, 0.8 * u("browDown")),
        "nose": soft * min(1.4, 0.75 * max(0.0, u("noseSneer") - 0.2)),
        "fold": 0.1 + 0.4 * late + soft * min(0.9, pull),
        "crow": 0.6 * late + soft * min(1.0, 0.5 * u("cheekSquint")),
        "bag": 0.6 * late + soft * min(1.0, 0.35 * u("cheekSquint") + 0.3 * u("eyeSquint")),
    }
