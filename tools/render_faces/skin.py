"""Procedural skin: tone, mottling, lips, beard shadow, scalp paint, and wrinkles that follow the expression."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .assets import Assets
from .identity import HAIR_COLOURS, Person
from .nodes import Graph

WRINKLES = ("forehead", "glabella", "nose", "fold", "crow", "bag")


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blob(points: np.ndarray, centre: tuple[float, ...], width: tuple[float, ...]) -> np.ndarray:
    return np.exp(-(((points - np.array(centre)) / np.array(width)) ** 2).sum(1))


def scalp_weight(points: np.ndarray, hairline: float = 0.0) -> np.ndarray:
    """1 on the hairy scalp and 0 off it, at base-mesh points `[N, 3]`; `hairline` moves the front line up."""
    side, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    angle = np.degrees(np.arctan2(side, z - 0.45))  # 0 in front, 90 at the ear, 180 at the nape
    at = [0, 18, 32, 42, 52, 62, 75, 88, 100, 115, 135, 180]
    height = [7.96, 7.97, 7.95, 7.84, 7.62, 7.44, 7.4, 7.42, 7.38, 6.95, 6.75, 6.65]
    front = np.interp(angle, [0, 15, 32, 60], [0.6, 1.0, 1.6, 0.0])  # temples recede first
    line = np.interp(angle, at, height) + hairline * front
    weight = smoothstep(y - line, -0.05, 0.06)
    weight[(side > 0.66) & (y < 7.62) & (z > 0.05) & (z < 0.75)] = 0  # ears
    return weight


def beard_weight(points: np.ndarray) -> np.ndarray:
    """1 where a beard grows: jaw, chin, upper lip; 0 on the lips."""
    p = np.c_[np.abs(points[:, 0]), points[:, 1:]]
    # the upper edge falls from the sideburn to the corner of the mouth
    edge = np.interp(p[:, 0], [0.0, 0.25, 0.45, 0.75], [6.89, 6.86, 6.80, 7.15])
    weight = smoothstep(edge - p[:, 1], -0.04, 0.10) * smoothstep(p[:, 2], 0.45, 0.8) * smoothstep(p[:, 1], 6.12, 6.4)
    return weight * (1 - 0.97 * blob(p, (0, 6.755, 1.5), (0.24, 0.075, 0.5)))


class Skin:
    """The skin material and the handles that people and expressions turn."""

    def __init__(self, assets: Assets, folder: Path, scatter: bool) -> None:
        g = self.graph = Graph("skin")
        uv = g.node("ShaderNodeTexCoord").outputs["UV"]
        self.base, self.red, self.dark, self.lips, self.hair = (g.colour() for _ in range(5))
        self.age, self.beard, self.scalp, self.lipstick = (g.value() for _ in range(4))

        def texture(name: str) -> bpy.types.NodeSocket:
            image = bpy.data.images.load(str(assets.extract_texture(name, folder).resolve()))
            image.colorspace_settings.name = "Non-Color"
            return g.node("ShaderNodeTexImage", image=image).outputs[0]

        age = self.age.outputs[0]
        mottle = g.remap(g.noise(uv, 120, 6), g.op("SUBTRACT", 0.95, g.op("MULTIPLY", age, 0.08)), 1.05, 0.3, 0.7)
        colour = g.scale(self.base.outputs[0], mottle)
        colour = g.mix(colour, self.red.outputs[0], g.attribute("red"), 0.45)
        colour = g.mix(
            colour, self.dark.outputs[0], g.attribute("dark"), g.op("ADD", 0.30, g.op("MULTIPLY", age, 0.35))
        )
        stubble = g.remap(g.noise(uv, 900, 1), 0.6, 1.3, 0.3, 0.7)
        colour = g.mix(
            colour, self.hair.outputs[0], g.op("MULTIPLY", g.attribute("beard"), stubble), self.beard.outputs[0]
        )
        colour = g.mix(colour, self.lips.outputs[0], texture("mpfb_lips.jpg"), self.lipstick.outputs[0])
        colour = g.mix(colour, (0.12, 0.02, 0.02, 1), texture("mpfb_inside-mouth.jpg"))
        colour = g.mix(colour, self.hair.outputs[0], g.attribute("scalp"), self.scalp.outputs[0])

        depth = self._wrinkle_field()
        colour = g.mix(colour, self.dark.outputs[0], depth, 0.32)
        pores = g.node("ShaderNodeBump")
        pores.inputs["Strength"].default_value = 0.08
        pores.inputs["Distance"].default_value = 0.05
        g.feed(g.noise(uv, 400, 3), pores.inputs["Height"])
        folds = g.node("ShaderNodeBump", invert=True)
        folds.inputs["Strength"].default_value = 1.0
        folds.inputs["Distance"].default_value = 0.025
        g.feed(depth, folds.inputs["Height"])
        g.feed(pores.outputs[0], folds.inputs["Normal"])
        g.set(
            Base_Color=colour,
            Normal=folds.outputs[0],
            Roughness=0.52,
            Specular_IOR_Level=0.32,
            Subsurface_Weight=0.25 if scatter else 0.0,
            Subsurface_Radius=(1, 0.35, 0.2),
            Subsurface_Scale=0.05,
        )

    def _wrinkle_field(self) -> bpy.types.NodeSocket:
        """Depth of all wrinkles, placed in base-mesh coordinates so that every face shape carries them."""
        g = self.graph
        rest, x, y, z = g.rest_position()
        side = g.op("ABSOLUTE", x)
        wobble = g.op("MULTIPLY", g.op("SUBTRACT", g.noise(rest, 5.0), 0.5), 1.6)
        # the fold from the nose wing down and outwards, fading at both ends
        fold = g.op("ADD", side, g.op("MULTIPLY", g.op("SUBTRACT", y, 6.86), 0.62))
        bag = g.op(
            "SUBTRACT", y, g.op("MULTIPLY", g.op("POWER", g.op("ABSOLUTE", g.op("SUBTRACT", side, 0.3)), 2.0), 1.6)
        )
        shapes = {
            "forehead": [g.troughs(y, 0.095, wobble), g.bell(side, 0, 0.40), g.bell(y, 7.74, 0.14)],
            "glabella": [g.bell(side, 0.055, 0.017), g.bell(y, 7.47, 0.075)],
            "nose": [
                g.troughs(g.op("ADD", y, g.op("MULTIPLY", side, 0.5)), 0.055, wobble),
                g.bell(side, 0.03, 0.10),
                g.bell(y, 7.29, 0.085),
            ],
            "fold": [g.bell(fold, 0.245, 0.036), g.bell(y, 6.84, 0.13), g.bell(side, 0.26, 0.11)],
            "crow": [
                g.troughs(g.op("ADD", y, g.op("MULTIPLY", side, -0.25)), 0.05, wobble),
                g.bell(side, 0.56, 0.05),
                g.bell(y, 7.27, 0.07),
            ],
            "bag": [g.bell(bag, 7.125, 0.018), g.bell(side, 0.30, 0.13)],
        }
        self.strength = {name: g.value() for name in WRINKLES}
        total = None
        for name in WRINKLES:
            term = self.strength[name].outputs[0]
            for factor in shapes[name]:
                term = g.op("MULTIPLY", term, factor)
            total = term if total is None else g.op("ADD", total, term)
        return g.op("MULTIPLY", total, g.op("GREATER_THAN", z, 0.9))

    def attributes(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Per-vertex masks that do not depend on the person, at base-mesh points."""
        p = np.c_[np.abs(points[:, 0]), points[:, 1:]]
        ears = (p[:, 0] > 0.72) * (p[:, 1] > 6.8) * (p[:, 1] < 7.6)
        red = (
            0.8 * blob(p, (0.42, 6.98, 1.3), (0.26, 0.2, 0.5))
            + 0.7 * blob(p, (0, 6.98, 1.65), (0.16, 0.14, 0.2))
            + 0.6 * ears
        )
        dark = 0.8 * blob(p, (0.3, 7.28, 1.3), (0.2, 0.13, 0.3)) + 0.5 * blob(p, (0.3, 7.13, 1.35), (0.16, 0.05, 0.3))
        return {"red": red, "dark": dark, "beard": beard_weight(points)}

    def dress(self, person: Person) -> None:
        """Colours of a person."""
        tone = np.array(person.tone)
        hair = np.array(HAIR_COLOURS[person.hair])
        natural = tone * (0.90, 0.52, 0.55)
        painted = np.array((0.36, 0.06, 0.07)) * (0.35 + tone.mean() * 1.6)
        lips = natural * (1 - 0.6 * person.lipstick) + painted * 0.6 * person.lipstick

        def paint(node: bpy.types.Node, colour: np.ndarray) -> None:
            node.outputs[0].default_value = (*np.clip(colour, 0, 1), 1)

        paint(self.base, tone)
        paint(self.red, tone * (1.05, 0.64, 0.62))
        paint(self.dark, tone * (0.62, 0.52, 0.52))
        paint(self.lips, lips)
        paint(self.hair, hair * 0.7 + tone * 0.16)
        self.age.outputs[0].default_value = person.age
        self.lipstick.outputs[0].default_value = 0.62 + 0.25 * (1 - person.sex)
        self.beard.outputs[0].default_value = min(0.6, person.beard * 0.8)
        self.scalp.outputs[0].default_value = {"bald": 0.10, "buzz": 0.72}.get(person.style, 0.92)

    def wrinkle(self, depths: dict[str, float]) -> None:
        for name, depth in depths.items():
            self.strength[name].outputs[0].default_value = depth
