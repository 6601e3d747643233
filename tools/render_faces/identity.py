"""Who a synthetic person is: drawn by seed, and turned into morph-target weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .assets import Weights

# Linear RGB, from dark to light; a person's tone is interpolated between neighbours by luminance.
TONES = np.array(
    [
        (0.085, 0.040, 0.024),
        (0.17, 0.080, 0.045),
        (0.30, 0.155, 0.09),
        (0.40, 0.230, 0.145),
        (0.47, 0.270, 0.18),
        (0.58, 0.360, 0.265),
        (0.66, 0.430, 0.33),
    ]
)
HAIR_COLOURS = {
    "black": (0.010, 0.009, 0.009),
    "dark": (0.024, 0.014, 0.010),
    "brown": (0.06, 0.032, 0.018),
    "light": (0.13, 0.075, 0.038),
    "blond": (0.30, 0.19, 0.09),
    "red": (0.16, 0.05, 0.018),
    "grey": (0.23, 0.22, 0.21),
    "white": (0.52, 0.51, 0.49),
}
IRIS_COLOURS = {
    "dark": ((0.03, 0.014, 0.008), (0.05, 0.022, 0.01)),
    "brown": ((0.07, 0.03, 0.012), (0.11, 0.05, 0.02)),
    "hazel": ((0.12, 0.07, 0.025), (0.13, 0.10, 0.045)),
    "green": ((0.08, 0.10, 0.055), (0.12, 0.14, 0.08)),
    "blue": ((0.07, 0.11, 0.16), (0.11, 0.16, 0.21)),
    "grey": ((0.09, 0.10, 0.11), (0.14, 0.15, 0.16)),
}

# (african, asian, caucasian) centres; the asset's own names for its three anchor shapes.
ANCESTRIES = (
    (0.9, 0.05, 0.05),
    (0.05, 0.9, 0.05),
    (0.05, 0.05, 0.9),
    (0.5, 0.1, 0.4),
    (0.1, 0.5, 0.4),
    (0.35, 0.35, 0.3),
)
AGE_BANDS = ((0.0, 0.2), (0.2, 0.5), (0.5, 0.88))
"""Parts of the way from 25 to 90 years; there are no children."""


@dataclass(frozen=True)
class Person:
    """A synthetic person. Everything that stays the same from face to face.

    Attributes:
        ancestry: weights of the african, asian and caucasian anchor shapes, summing to 1.
        sex: 0 female to 1 male, continuous.
        age: 0 (25 years) to 1 (90 years).
        tone: skin colour, linear RGB.
        hairline: how far the hairline moves up, decimetres.
        beard: 0 none, below 0.5 a shadow, above it stubble to a short beard.
        lipstick: 0 none to 1.
    """

    name: str
    seed: int
    ancestry: tuple[float, ...]
    sex: float
    age: float
    weight: float
    muscle: float
    tone: tuple[float, ...]
    hair: str
    style: str
    iris: str
    hairline: float
    parting: float
    beard: float
    brow: float
    lipstick: float
    glasses: str


def tone_of(luminance: float) -> np.ndarray:
    """Skin colour of a given mean linear RGB value."""
    mean = TONES.mean(axis=1)
    return np.array([np.interp(luminance, mean, TONES[:, c]) for c in range(3)])


def draw(name: str, index: int, seed: int) -> Person:
    """A person by seed.

    Args:
        index: position in the plan; ancestry, sex and age run through all their 36 combinations in a scrambled but
            fixed order, so that any prefix of the people is about balanced.
        seed: everything else.
    """
    rng = np.random.default_rng(seed)
    cell = (index * 7) % 36
    centre = np.array(ANCESTRIES[cell % 6])
    ancestry = rng.dirichlet(centre * 9 + 0.05)
    male = (cell // 6) % 2 == 1 if index % 36 < 18 else (cell // 6) % 2 == 0
    sex = float(np.clip((0.94 if male else 0.06) + rng.normal(0, 0.06), 0, 1))
    low, high = AGE_BANDS[(index * 2 + cell // 12) % 3]
    age = float(rng.uniform(low, high))

    luminance = float(np.clip(ancestry @ (0.11, 0.34, 0.38) * np.exp(rng.normal(0, 0.18)), 0.05, 0.46))
    tone = np.clip(tone_of(luminance) * rng.normal(1, 0.035, 3), 0.01, 0.9)

    african, _, caucasian = ancestry
    if caucasian > 0.55:
        hair = rng.choice(["black", "dark", "brown", "light", "blond", "red"], p=[0.08, 0.27, 0.28, 0.13, 0.16, 0.08])
        iris = rng.choice(["brown", "hazel", "green", "blue", "grey"], p=[0.3, 0.2, 0.14, 0.26, 0.1])
    else:
        hair = rng.choice(["black", "dark", "brown"], p=[0.55, 0.35, 0.1])
        iris = rng.choice(["dark", "brown", "hazel"], p=[0.5, 0.42, 0.08])
    if rng.random() < np.interp(age, [0.3, 0.5, 0.75], [0, 0.35, 0.95]):
        hair = rng.choice(["grey", "white"], p=[0.7, 0.3])

    curly = african > 0.45
    if male:
        styles, chance = ["short", "side", "crop", "buzz", "bald"], [0.28, 0.26, 0.22, 0.14, 0.10]
        if curly:
            styles, chance = ["afro_short", "crop", "buzz", "bald"], [0.34, 0.3, 0.22, 0.14]
    else:
        styles, chance = ["long", "bob", "wavy", "pulled", "fringe", "pixie"], [0.24, 0.22, 0.22, 0.07, 0.17, 0.08]
        if curly:
            styles, chance = ["afro", "afro_short", "pulled", "wavy", "bob"], [0.34, 0.2, 0.08, 0.21, 0.17]
    style = str(rng.choice(styles, p=chance))
    hairline = float(np.clip(rng.normal(0.0, 0.02) + (0.10 * age * rng.random() if male else 0), -0.03, 0.12))

    bearded = male and ancestry[1] < 0.7
    beard = float(rng.choice([0, 0.3, 0.65, 1.0], p=[0.4, 0.28, 0.18, 0.14])) if bearded else 0.0
    glasses = str(rng.choice(["", "round", "square"], p=[0.88, 0.06, 0.06]))
    return Person(
        name=name,
        seed=seed,
        ancestry=tuple(round(float(a), 4) for a in ancestry),
        sex=round(sex, 3),
        age=round(age, 3),
        weight=round(float(np.clip(rng.normal(0.5, 0.15), 0.2, 0.85)), 3),
        muscle=round(float(np.clip(rng.normal(0.5, 0.12), 0.25, 0.8)), 3),
        tone=tuple(round(float(t), 4) for t in tone),
        hair=str(hair),
        style=style,
        iris=str(iris),
        hairline=round(hairline, 3),
        parting=round(float(rng.choice([-1, 1]) * rng.uniform(0.02, 0.2)), 3),
        beard=beard,
        brow=round(float(np.clip(rng.normal(0, 0.3), -0.6, 0.6)), 3),
        lipstick=round(float(rng.uniform(0.2, 0.8)), 2) if not male and rng.random() < 0.4 else 0.0,
        glasses=glasses,
    )


def _axis(value: float) -> dict[str, float]:
    """MakeHuman's three-point axes: 0 is min, 0.5 average, 1 max."""
    return {"min": max(0.0, 1 - 2 * value), "average": 1 - abs(2 * value - 1), "max": max(0.0, 2 * value - 1)}


def _macro(person: Person) -> Weights:
    out: Weights = {}
    for sex, by_sex in (("female", 1 - person.sex), ("male", person.sex)):
        for age, by_age in (("young", 1 - person.age), ("old", person.age)):
            for anchor, share in zip(("african", "asian", "caucasian"), person.ancestry, strict=True):
                out[f"macrodetails/{anchor}-{sex}-{age}"] = share * by_sex * by_age
            for muscle, by_muscle in _axis(person.muscle).items():
                for weight, by_weight in _axis(person.weight).items():
                    name = f"macrodetails/universal-{sex}-{age}-{muscle}muscle-{weight}weight"
                    out[name] = by_sex * by_age * by_muscle * by_weight
    return out


# target, name of its negative and positive side, standard deviation. Head and forehead height stay small: beyond about
# .12 the skull leaves the range of real heads and the hairline with it.
DETAILS = (
    ("head/head-scale-horiz", "decr", "incr", 0.30),
    ("head/head-scale-vert", "decr", "incr", 0.09),
    ("head/head-fat", "decr", "incr", 0.30),
    ("nose/nose-scale-horiz", "decr", "incr", 0.34),
    ("nose/nose-scale-vert", "decr", "incr", 0.25),
    ("nose/nose-scale-depth", "decr", "incr", 0.34),
    ("nose/nose-hump", "decr", "incr", 0.42),
    ("nose/nose-point", "down", "up", 0.34),
    ("nose/nose-curve", "concave", "convex", 0.34),
    ("nose/nose-width1", "decr", "incr", 0.25),
    ("nose/nose-width3", "decr", "incr", 0.34),
    ("nose/nose-base", "down", "up", 0.25),
    ("mouth/mouth-scale-horiz", "decr", "incr", 0.28),
    ("mouth/mouth-upperlip-volume", "decr", "incr", 0.34),
    ("mouth/mouth-lowerlip-volume", "decr", "incr", 0.34),
    ("mouth/mouth-trans", "down", "up", 0.2),
    ("mouth/mouth-cupidsbow", "decr", "incr", 0.34),
    ("chin/chin-width", "decr", "incr", 0.32),
    ("chin/chin-prominent", "decr", "incr", 0.28),
    ("chin/chin-height", "decr", "incr", 0.28),
    ("chin/chin-bones", "decr", "incr", 0.28),
    ("forehead/forehead-trans", "backward", "forward", 0.25),
    ("forehead/forehead-scale-vert", "decr", "incr", 0.10),
    ("forehead/forehead-temple", "decr", "incr", 0.25),
    ("eyebrows/eyebrows-trans", "down", "up", 0.2),
    ("eyebrows/eyebrows-angle", "down", "up", 0.12),
)
PAIRED_DETAILS = (
    ("cheek/{}-cheek-bones", "decr", "incr", 0.34),
    ("cheek/{}-cheek-volume", "decr", "incr", 0.34),
    ("eyes/{}-eye-scale", "decr", "incr", 0.22),
    ("eyes/{}-eye-trans", "in", "out", 0.2),
    ("eyes/{}-eye-corner1", "down", "up", 0.24),
    ("eyes/{}-eye-corner2", "down", "up", 0.26),
    ("eyes/{}-eye-bag", "decr", "incr", 0.3),
    ("eyes/{}-eye-height2", "decr", "incr", 0.2),
    ("ears/{}-ear-wing", "decr", "incr", 0.34),
    ("ears/{}-ear-scale", "decr", "incr", 0.25),
)
HEAD_SHAPES = ("oval", "round", "rectangular", "square", "triangular", "invertedtriangular", "diamond")
ASYMMETRIES = (
    "brown-1",
    "brown-2",
    "cheek-1",
    "cheek-2",
    "eye-1",
    "eye-3",
    "eye-5",
    "jaw-1",
    "jaw-2",
    "mouth-1",
    "nose-1",
    "nose-3",
)


def weights_of(person: Person) -> Weights:
    """Morph-target weights of a person's resting face."""
    rng = np.random.default_rng([person.seed, 1])
    out = _macro(person)
    for name, negative, positive, sigma in DETAILS:
        value = float(np.clip(rng.normal(0, sigma), -0.7, 0.7))
        out[f"{name}-{positive if value > 0 else negative}"] = abs(value)
    for name, negative, positive, sigma in PAIRED_DETAILS:
        value = float(np.clip(rng.normal(0, sigma), -0.7, 0.7))
        for side in "lr":
            out[f"{name.format(side)}-{positive if value > 0 else negative}"] = abs(value)
    out[f"head/head-{rng.choice(HEAD_SHAPES)}"] = float(rng.uniform(0, 0.5))
    # No real face is symmetric, and small asymmetries are what keeps a neutral face from looking like a mask.
    for name in ASYMMETRIES:
        value = float(np.clip(rng.normal(0, 0.12), -0.3, 0.3))
        out[f"asym/asym-{name}-{'l' if value > 0 else 'r'}"] = abs(value)
    # The macro shape alone ages weakly: add the bags, folds and the soft jaw line.
    late = max(0.0, person.age - 0.25) / 0.65
    for side in "lr":
        bag = f"eyes/{side}-eye-bag-incr"
        out[bag] = out.get(bag, 0.0) + 0.35 * late
        out[f"eyes/{side}-eye-eyefold-down"] = 0.35 * late
    out["neck/neck-double-incr"] = 0.3 * late * person.weight
    out["mouth/mouth-laugh-lines-in"] = 0.4 * late
    return {name: weight for name, weight in out.items() if weight > 1e-6}
