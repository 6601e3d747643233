"""What is rendered: every person and face of both sets, by seed. No Blender here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from . import expression, identity, rejected
from .assets import Weights
from .emotions import EMOTIONS, Mixture, mixture, valence_arousal
from .identity import Person

SEED = 2026
TRAINING_PEOPLE = 210
CONFUSIONS = (
    ("fear", "surprise"),
    ("neutral", "happiness"),
    ("anger", "disgust"),
    ("sadness", "fear"),
    ("happiness", "surprise"),
    ("neutral", "anger"),
    ("sadness", "disgust"),
    ("neutral", "sadness"),
    ("anger", "fear"),
    ("neutral", "surprise"),
    ("sadness", "anger"),
    ("happiness", "disgust"),
    ("fear", "disgust"),
    ("surprise", "anger"),
    ("happiness", "sadness"),
)
"""Pairs of emotions that a blended face is drawn from; every emotion is in four or five of them."""
BLENDS_PER_PERSON = 12
FACES_PER_PERSON = len(EMOTIONS) + BLENDS_PER_PERSON

LOOK = 1
"""Raise this when code changes the look of a face, so that faces rendered before are rendered anew."""


@dataclass(frozen=True)
class Light:
    """Angles in degrees around the face, powers in watts, `fill` as a share of the key lamp, `warmth` -1 (cool)
    to 1."""

    azimuth: float
    elevation: float
    power: float
    size: float
    warmth: float
    fill: float
    rim: float
    ambient: float


@dataclass(frozen=True)
class Face:
    """One picture of one person.

    Attributes:
        role: `demo` or `extra` in the survey set, empty in the training set.
        kind: `clear` (one emotion), `leaning` (one leads) or `ambiguous`.
        mixture: the expression mixture, in the order of `EMOTIONS`. What the generator was told, not what people see.
        intensity: strength of the expression, 0.7 to 1.05.
        yaw, pitch, roll: head pose in degrees; positive pitch looks down.
    """

    name: str
    person: str
    split: str
    role: str
    kind: str
    seed: int
    mixture: Mixture
    intensity: float
    forms: tuple[int, ...]
    yaw: float
    pitch: float
    roll: float
    light: Light

    @property
    def valence_arousal(self) -> tuple[float, float]:
        return valence_arousal(self.mixture, self.intensity)

    def units(self) -> Weights:
        return expression.units(self.mixture, self.intensity, self.forms, self.seed)

    def gaze(self) -> tuple[float, float]:
        """Direction of the eyes in the head: into the camera, but for what the emotion does."""
        aside = expression.accompaniment(expression.GAZE_YAW, self.mixture, self.intensity)
        yaw = -0.75 * self.yaw + (aside if self.seed % 2 else -aside)
        pitch = 0.75 * self.pitch + expression.accompaniment(expression.GAZE_PITCH, self.mixture, self.intensity)
        return float(np.clip(yaw, -16, 16)), float(np.clip(pitch, -10, 8))


@dataclass(frozen=True)
class Plan:
    people: dict[str, Person]
    faces: tuple[Face, ...]

    def fingerprint(self, face: Face, quality: object) -> str:
        """Changes whenever the picture would, short of a change in the code (see `LOOK`)."""
        parts = [LOOK, asdict(face), asdict(self.people[face.person]), repr(quality)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]


def _light(rng: np.random.Generator, gentle: bool) -> Light:
    """Light by seed; `gentle` keeps half of the face from falling into shadow, for pictures that people judge."""
    azimuth = rng.uniform(-65, 65) if not gentle else rng.choice([-1, 1]) * rng.uniform(12, 48)
    elevation = rng.uniform(8, 52) if not gentle else rng.uniform(16, 42)
    return Light(
        azimuth=round(float(azimuth), 1),
        elevation=round(float(elevation), 1),
        power=round(float(rng.uniform(440, 860)), 0),
        size=round(float(rng.uniform(0.9, 2.2)), 2),
        warmth=round(float(rng.uniform(-1, 1)), 2),
        fill=round(float(rng.uniform(0.18, 0.5)), 2),
        rim=round(float(rng.uniform(0, 400)), 0),
        ambient=round(float(rng.uniform(0.35, 0.7)), 2),
    )


def _person(name: str, index: int, seed: int) -> Person:
    return identity.draw(name, index, seed + len(rejected.PEOPLE.get(name, ())))


def _face(
    name: str,
    person: str,
    split: str,
    role: str,
    kind: str,
    weights: Mixture,
    seed: int,
    spread: float,
) -> Face:
    seed += len(rejected.FACES.get(name, ()))
    rng = np.random.default_rng([seed, 6])
    intensity = round(float(rng.uniform(0.8, 1.05) if kind == "clear" else rng.uniform(0.7, 1.05)), 3)
    forms = tuple(int(f) for f in rng.integers(0, 12, len(EMOTIONS)))
    nod = expression.accompaniment(expression.HEAD_PITCH, weights, intensity)
    return Face(
        name=name,
        person=person,
        split=split,
        role=role,
        kind=kind,
        seed=seed,
        mixture=weights,
        intensity=intensity,
        forms=forms,
        yaw=round(float(np.clip(rng.normal(0, 8.5 * spread), -22, 22)), 2),
        pitch=round(float(np.clip(rng.normal(0, 3 * spread), -8, 8)) + nod, 2),
        roll=round(float(np.clip(rng.normal(0, 3 * spread), -8, 8)), 2),
        light=_light(rng, gentle=spread < 1),
    )


def _training_mixture(rng: np.random.Generator, first: str, second: str, lead: float) -> Mixture:
    """`first` and `second` at `lead` : 1 - `lead`, with up to a tenth spread over all emotions."""
    stray = rng.dirichlet([0.4] * len(EMOTIONS)) * rng.uniform(0, 0.1)
    weights = stray + (1 - stray.sum()) * np.array([lead * (e == first) + (1 - lead) * (e == second) for e in EMOTIONS])
    return mixture(**dict(zip(EMOTIONS, (float(w) for w in weights), strict=True)))


def training() -> Plan:
    """The training set: people in order, each in one split, so that any prefix is about balanced."""
    people, faces = {}, []
    for index in range(TRAINING_PEOPLE):
        name = f"p{index:03d}"
        people[name] = _person(name, index, SEED * 1000 + index * 10)
        split = {4: "valid", 9: "test"}.get(index % 10, "train")
        rng = np.random.default_rng([SEED, 7, index])
        specs = []
        for emotion in EMOTIONS:
            partners = [b if a == emotion else a for a, b in CONFUSIONS if emotion in (a, b)]
            specs.append(
                ("clear", _training_mixture(rng, emotion, str(rng.choice(partners)), float(rng.uniform(0.82, 1))))
            )
        for k in range(BLENDS_PER_PERSON):
            first, second = CONFUSIONS[(index * BLENDS_PER_PERSON + k) % len(CONFUSIONS)]
            lead = float(rng.uniform(0.25, 0.75))
            kind = "ambiguous" if 0.4 <= lead <= 0.6 else "leaning"
            specs.append((kind, _training_mixture(rng, first, second, lead)))
        for k, (kind, weights) in enumerate(specs):
            seed = SEED * 100_000 + index * 1000 + k * 10
            faces.append(_face(f"{name}-{k:02d}", name, split, "", kind, weights, seed, spread=1.0))
    return Plan(people, tuple(faces))


# The survey set by hand: what each study has to cover.
SURVEY: dict[str, tuple[tuple[str, dict[str, float]], ...]] = {
    "demo": (
        ("clear", dict(neutral=1)),
        ("clear", dict(happiness=1)),
        ("clear", dict(sadness=1)),
        ("clear", dict(surprise=1)),
        ("clear", dict(fear=0.95, surprise=0.05)),
        ("clear", dict(disgust=1)),
        ("clear", dict(anger=1)),
        ("leaning", dict(happiness=0.55, neutral=0.45)),
        ("leaning", dict(sadness=0.6, neutral=0.4)),
        ("leaning", dict(surprise=0.65, happiness=0.35)),
        ("leaning", dict(fear=0.65, surprise=0.35)),
        ("leaning", dict(disgust=0.65, anger=0.35)),
        ("leaning", dict(anger=0.65, neutral=0.35)),
        ("leaning", dict(sadness=0.65, fear=0.35)),
        ("ambiguous", dict(fear=0.5, surprise=0.5)),
        ("ambiguous", dict(anger=0.5, disgust=0.5)),
        ("ambiguous", dict(neutral=0.5, sadness=0.5)),
        ("ambiguous", dict(sadness=0.5, anger=0.5)),
        ("ambiguous", dict(happiness=0.5, surprise=0.5)),
        ("ambiguous", dict(fear=0.45, sadness=0.45, surprise=0.1)),
        ("ambiguous", dict(neutral=0.6, anger=0.4)),
    ),
    "extra": (
        ("clear", dict(neutral=1)),
        ("clear", dict(happiness=1)),
        ("clear", dict(sadness=1)),
        ("clear", dict(surprise=1)),
        ("clear", dict(fear=1)),
        ("clear", dict(disgust=1)),
        ("clear", dict(anger=1)),
        ("clear", dict(happiness=1)),
        ("clear", dict(neutral=0.95, happiness=0.05)),
        ("leaning", dict(surprise=0.65, fear=0.35)),
        ("leaning", dict(anger=0.65, disgust=0.35)),
        ("leaning", dict(neutral=0.65, happiness=0.35)),
        ("leaning", dict(sadness=0.65, disgust=0.35)),
        ("leaning", dict(fear=0.65, sadness=0.35)),
        ("leaning", dict(disgust=0.65, sadness=0.35)),
        ("leaning", dict(happiness=0.7, surprise=0.3)),
        ("ambiguous", dict(fear=0.5, disgust=0.5)),
        ("ambiguous", dict(sadness=0.5, happiness=0.5)),
        ("ambiguous", dict(surprise=0.5, neutral=0.5)),
        ("ambiguous", dict(disgust=0.5, anger=0.5)),
        ("ambiguous", dict(anger=0.4, sadness=0.3, fear=0.3)),
    ),
}


def survey() -> Plan:
    """The survey set: 42 faces of 42 people who are in no training split.

    Names carry only a number, in an order that has nothing to do with the expression: a volunteer may see a file name.
    """
    people, faces = {}, []
    for offset, (role, specs) in enumerate(SURVEY.items()):
        order = np.random.default_rng([SEED, 8, offset]).permutation(len(specs))
        for place, which in enumerate(order):
            index = offset * len(specs) + place
            kind, weights = specs[which]
            person = f"s{index + 1:02d}"
            people[person] = _person(person, index, SEED * 1000 + 500_000 + index * 10)
            seed = SEED * 100_000 + 50_000_000 + index * 10
            faces.append(
                _face(f"survey-{index + 1:02d}", person, "survey", role, kind, mixture(**weights), seed, spread=0.7)
            )
    return Plan(people, tuple(faces))


SETS = {"survey": survey, "training": training}
