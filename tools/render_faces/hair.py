"""Strand hair, brows and beards. Roots sit on base-mesh triangles, so that they follow every morph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from .identity import HAIR_COLOURS, Person
from .nodes import Graph
from .skin import beard_weight, blob, scalp_weight


@dataclass(frozen=True)
class Style:
    """How the hair of a head grows.

    Attributes:
        length: of a strand, decimetres.
        comb: direction the hair is combed in; mirrored at the parting when `split`.
        lift: how far it stands off the skin at the root.
        gravity: how soon it hangs.
        layer: thickness of the layer over the skin, decimetres.
        steps: points on a strand.
        wave: random direction of each strand.
        curl: radius of curls.
        split: parted, and kept off the face like a curtain.
        bangs: length of strands that fall over the forehead; 0 for none.
    """

    length: float
    comb: tuple[float, float, float]
    lift: float
    gravity: float = 0.0
    layer: float = 0.04
    steps: int = 7
    count: int = 11000
    radius: float = 0.0052
    wave: float = 0.12
    curl: float = 0.0
    split: bool = False
    bangs: float = 0.0


STYLES = {
    "short": Style(0.40, (0.10, 0.05, -1.0), 0.42, 0.3, 0.08, wave=0.13),
    "side": Style(0.38, (0.42, -0.15, -0.75), 0.38, 0.35, 0.07, wave=0.10),
    "crop": Style(0.13, (0.1, 0.1, -0.5), 0.8, 0.0, 0.03, steps=4, wave=0.1),
    "buzz": Style(0.035, (0.0, -0.1, -0.6), 0.8, 0.0, 0.01, steps=3, count=9000, radius=0.004),
    "long": Style(2.6, (0.55, -0.45, -0.55), 0.25, 2.5, 0.10, 16, 13000, 0.0058, 0.04, split=True),
    "bob": Style(1.5, (0.5, -0.5, -0.45), 0.25, 2.5, 0.11, 13, 13000, 0.0058, 0.04, split=True),
    "wavy": Style(2.0, (0.5, -0.45, -0.5), 0.35, 2.2, 0.13, 16, 12000, 0.006, 0.09, 0.22, split=True),
    "fringe": Style(1.7, (0.5, -0.5, -0.45), 0.25, 2.5, 0.10, 13, 13000, 0.0058, 0.04, split=True, bangs=0.50),
    "pixie": Style(0.6, (0.5, -0.45, -0.35), 0.3, 1.2, 0.08, 9, 12000, 0.0055, 0.08, bangs=0.36),
    "pulled": Style(1.1, (0.0, 0.1, -1.0), 0.12, 0.1, 0.035, 9, 11000, 0.0055, 0.04),
    "afro": Style(0.38, (0, 0.2, -0.1), 2.0, 0.0, 0.05, 10, 11000, 0.0065, 0.5, 1.2),
    "afro_short": Style(0.17, (0, 0.2, -0.1), 2.0, 0.0, 0.03, 7, 10000, 0.006, 0.5, 1.1),
}


@dataclass(frozen=True)
class Roots:
    """Points on the mesh: triangle index `[N]` and barycentric weights `[N, 3]`."""

    triangle: np.ndarray
    weights: np.ndarray


class Scalp:
    """The triangulated skin that hair grows on.

    Args:
        vertices: base mesh `[V, 3]`.
        quads: skin faces `[F, 4]`.
    """

    def __init__(self, vertices: np.ndarray, quads: np.ndarray) -> None:
        self.rest = vertices
        second = quads[quads[:, 2] != quads[:, 3]]
        self.triangles = np.concatenate([quads[:, [0, 1, 2]], second[:, [0, 2, 3]]])
        self._tree = self.tree(vertices)
        corners = vertices[self.triangles]
        self._area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2

    def tree(self, vertices: np.ndarray) -> BVHTree:
        return BVHTree.FromPolygons(vertices.tolist(), self.triangles.tolist(), all_triangles=True)

    def surface(self, vertices: np.ndarray, roots: Roots) -> tuple[np.ndarray, np.ndarray]:
        """Position and normal of the roots on a morphed mesh."""
        corners = vertices[self.triangles[roots.triangle]]
        position = (corners * roots.weights[:, :, None]).sum(1)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return position, normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)

    def scatter(self, rng: np.random.Generator, weight: np.ndarray, count: int) -> Roots:
        """Random roots, as dense as the per-vertex `weight`."""
        chance = weight[self.triangles].mean(1) * self._area
        triangle = rng.choice(len(self.triangles), count, p=chance / chance.sum())
        r = rng.random((count, 2))
        r[r.sum(1) > 1] = 1 - r[r.sum(1) > 1]
        return Roots(triangle, np.c_[1 - r.sum(1), r])

    def project(self, xy: np.ndarray) -> tuple[Roots, np.ndarray]:
        """Roots hit from the front at `xy` `[N, 2]`, and which of the points hit."""
        triangle, weights, hit = [], [], []
        for i, (x, y) in enumerate(xy):
            location, _, index, _ = self._tree.ray_cast(Vector((x, y, 5)), Vector((0, 0, -1)))
            if index is None:
                continue
            a, b, c = self.rest[self.triangles[index]]
            u, v, w = b - a, c - a, np.array(location) - a
            uu, uv, vv, wu, wv = u @ u, u @ v, v @ v, w @ u, w @ v
            det = uu * vv - uv * uv
            s, t = (vv * wu - uv * wv) / det, (uu * wv - uv * wu) / det
            triangle.append(index)
            weights.append((1 - s - t, s, t))
            hit.append(i)
        return Roots(np.array(triangle), np.array(weights)), np.array(hit)

    def brow(self, rng: np.random.Generator, person: Person) -> tuple[Roots, np.ndarray]:
        """Roots and directions of both brows."""
        count = int(300 + 130 * person.sex + 60 * person.brow)
        thick = 0.034 + 0.014 * person.sex + 0.012 * person.brow
        arch = 0.016 * (1 - person.sex)
        x = np.array([0.095, 0.17, 0.25, 0.34, 0.43, 0.49, 0.54])
        y = np.array([7.458, 7.470, 7.482, 7.490 + arch, 7.478 + arch, 7.454 + arch / 2, 7.426])
        at = np.linspace(0, 1, len(x))
        u = rng.beta(1.05, 1.6, count)
        cx, cy = np.interp(u, at, x), np.interp(u, at, y)
        cy = cy + rng.normal(0, 0.45, count).clip(-1, 1) * thick * np.interp(
            u, [0, 0.12, 0.5, 1], [0.75, 1, 0.85, 0.45]
        )
        tangent = np.c_[
            np.interp(u + 0.02, at, x) - np.interp(u - 0.02, at, x),
            np.interp(u + 0.02, at, y) - np.interp(u - 0.02, at, y),
        ]
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
        rise = np.interp(u, [0, 0.25, 0.6, 1], [1.0, 0.5, 0.12, -0.1]) + rng.normal(0, 0.22, count)
        direction = np.c_[tangent[:, 0], tangent[:, 1] + rise, np.zeros(count)]
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        parts = []
        for sign in (1, -1):
            roots, hit = self.project(np.c_[sign * cx, cy])
            parts.append((roots, direction[hit] * (sign, 1, 1)))
        roots = Roots(np.concatenate([p[0].triangle for p in parts]), np.concatenate([p[0].weights for p in parts]))
        return roots, np.concatenate([p[1] for p in parts])

    def hair(self, vertices: np.ndarray, person: Person, density: float) -> tuple[np.ndarray, float] | None:
        """Strands `[N, K, 3]` over a person's head and their root radius; None when there is nothing to grow.

        Strands are drawn thicker as `density` falls, so that the head stays covered.
        """
        if person.style not in STYLES:
            return None
        style = STYLES[person.style]
        rng = np.random.default_rng([person.seed, 3])
        weight = scalp_weight(self.rest, person.hairline)
        # A parted head shows its front line most, and the comb pulls the strands away from it: plant more there.
        front = np.exp(-(((self.rest[:, 1] - 8.0) / 0.12) ** 2)) * (self.rest[:, 2] > 0.7)
        weight = weight * (1 + (2.0 if style.split else 0.8) * front)
        count = int(style.count * density)
        roots = self.scatter(rng, weight, count)
        return self._grow(vertices, roots, rng, style, person.parting), style.radius * density**-0.5

    def _grow(
        self, vertices: np.ndarray, roots: Roots, rng: np.random.Generator, style: Style, parting: float
    ) -> np.ndarray:
        tree = self.tree(vertices)
        here, normal = self.surface(vertices, roots)
        n = len(here)
        rest, _ = self.surface(self.rest, roots)
        bangs = (rest[:, 2] > 0.72) & (np.abs(rest[:, 0]) < 0.52) & (rest[:, 1] > 7.86) & (style.bangs > 0)
        length = np.where(bangs, style.bangs, style.length) * rng.uniform(0.82, 1.12, n)
        side = np.where(here[:, 0] + rng.normal(0, 0.02, n) > parting, 1.0, -1.0)
        comb = np.tile(np.array(style.comb), (n, 1))
        if style.split:
            comb[:, 0] *= side
        comb[bangs] = (0.25 * np.sign(parting), -0.25, 0.75)
        gravity = np.where(bangs, 1.6, style.gravity)
        layer = style.layer * rng.uniform(0.2, 1.0, n)
        wave = rng.normal(0, style.wave, (n, 3))
        phase = rng.uniform(0, 2 * np.pi, n)
        spread = np.abs(rng.normal(0, 0.05, n))
        points = [here.copy()]
        for k in range(1, style.steps):
            u = k / (style.steps - 1)
            pull = (gravity * u)[:, None]
            step = (
                normal * style.lift * (1 - u) ** 2
                + comb * np.maximum(0.0, 1 - pull)
                + np.array([0, -1, -0.05]) * pull * 2
                + wave
            )
            step /= np.linalg.norm(step, axis=1, keepdims=True)
            if style.curl:
                a = np.cross(step, [0.3, 1, 0.2])
                a /= np.linalg.norm(a, axis=1, keepdims=True) + 1e-9
                turn = phase + k * 2.2
                step = step + style.curl * (a * np.cos(turn)[:, None] + np.cross(step, a) * np.sin(turn)[:, None])
            here = here + step * (length / (style.steps - 1))[:, None]
            if (
                style.split
            ):  # the curtain: keep strands beside the face, more strictly the further they are from the root
                edge = (
                    np.interp(here[:, 1], [6.0, 6.5, 7.0, 7.5, 7.8, 8.05, 8.2], [0.66, 0.68, 0.70, 0.66, 0.42, 0.06, 0])
                    + spread
                )
                inside = (here[:, 2] > 0.35) & (here[:, 0] * side < edge) & ~bangs
                here[inside, 0] += min(1.0, k / 3) * (side * edge - here[:, 0])[inside]
            for i in range(n):  # keep strands outside the head
                location, outward, _, _ = tree.find_nearest(here[i])
                push = layer[i] * min(1.0, k / 4) - (here[i] - location) @ outward
                if push > 0:
                    here[i] += push * np.array(outward)
            points.append(here.copy())
        return np.stack(points, 1)

    def tufts(
        self, vertices: np.ndarray, roots: Roots, direction: np.ndarray, length: np.ndarray, stand: float
    ) -> np.ndarray:
        """Short strands `[N, 4, 3]` that lie along `direction` on a face that moves (brows, beard)."""
        position, normal = self.surface(vertices, roots)
        along = direction - normal * (direction * normal).sum(1, keepdims=True) + stand * normal
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        reach = length[:, None]
        return np.stack(
            [position + along * reach * u - normal * reach * 1.7 * stand * u * u for u in (0, 0.4, 0.75, 1.0)], 1
        )

    def beard(self, rng: np.random.Generator, person: Person, density: float) -> tuple[Roots, np.ndarray, np.ndarray]:
        """Roots, directions and lengths of a beard."""
        count = int(9000 * person.beard * density)
        side = np.c_[np.abs(self.rest[:, 0]), self.rest[:, 1:]]
        # strands need more room around the lips than the painted shadow does, or they cross the mouth
        weight = beard_weight(self.rest) ** 2 * (1 - blob(side, (0, 6.755, 1.5), (0.30, 0.11, 0.5))) ** 2
        roots = self.scatter(rng, weight, count)
        place, _ = self.surface(self.rest, roots)
        direction = np.c_[0.35 * place[:, 0], -np.ones(count), np.full(count, 0.25)] + rng.normal(0, 0.2, (count, 3))
        chin = np.exp(-((place[:, 0] / 0.25) ** 2)) * (place[:, 1] < 6.7)
        full = max(0.0, person.beard - 0.7) / 0.3
        length = (0.014 + 0.032 * full * (0.7 + 0.9 * chin)) * rng.uniform(0.7, 1.2, count)
        return roots, direction, length


class Strands:
    """A hair-curves object whose strands can be moved without being rebuilt."""

    def __init__(self, name: str, points: np.ndarray, radius: float, material: Any, parent: Any, tip: float) -> None:
        count, steps, _ = points.shape
        self.data = bpy.data.hair_curves.new(name)
        self.data.add_curves([steps] * count)
        radii = self.data.attributes.get("radius") or self.data.attributes.new("radius", "FLOAT", "POINT")
        profile = np.tile(radius * np.linspace(1, tip, steps), count)
        radii.data.foreach_set("value", profile.astype(np.float32))
        self.data.materials.append(material)
        self.object = bpy.data.objects.new(name, self.data)
        bpy.context.scene.collection.objects.link(self.object)
        self.object.parent = parent
        self.move(points)

    def move(self, points: np.ndarray) -> None:
        self.data.attributes["position"].data.foreach_set("vector", points.astype(np.float32).ravel())
        self.data.update_tag()

    def remove(self) -> None:
        bpy.data.objects.remove(self.object)
        bpy.data.hair_curves.remove(self.data)


class HairMaterial:
    """One colour of strand, a little different from strand to strand."""

    def __init__(self, name: str, roughness: float) -> None:
        g = Graph(name)
        self.material = g.material
        self._colour = g.colour()
        each = g.node("ShaderNodeHairInfo").outputs["Random"]
        g.set(
            Base_Color=g.scale(self._colour.outputs[0], g.remap(each, 0.6, 1.5)),
            Roughness=roughness,
            Specular_IOR_Level=0.3,
        )

    def paint(self, colour: np.ndarray) -> None:
        self._colour.outputs[0].default_value = (*np.clip(colour, 0, 1), 1)


def brow_colour(person: Person) -> np.ndarray:
    """Brows are darker than fair hair, and stay grey when the hair is white."""
    hair = np.array(HAIR_COLOURS[person.hair])
    if person.hair in ("blond", "red"):
        hair = hair * 0.5
    if person.hair == "white":
        hair = np.array(HAIR_COLOURS["grey"])
    return hair * 1.1 + np.array(person.tone) * 0.08
