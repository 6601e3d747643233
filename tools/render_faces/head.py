"""The head in the Blender scene: its meshes, and how a person and an expression are put on it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .assets import Assets, BaseMesh, Weights
from .expression import wrinkles
from .hair import HairMaterial, Scalp, Strands, brow_colour
from .identity import HAIR_COLOURS, IRIS_COLOURS, Person, weights_of
from .nodes import Graph
from .skin import Skin, scalp_weight

# Vertex ranges of the MakeHuman base mesh.
BODY = slice(0, 13380)
LEFT_EYE, RIGHT_EYE, EYES = slice(14598, 14670), slice(14670, 14742), slice(14598, 14742)
LOWER_TEETH, UPPER_TEETH = slice(14992, 15060), slice(15060, 15128)


class Part:
    """A piece of the base mesh as a Blender object."""

    def __init__(
        self, name: str, base: BaseMesh, chosen: np.ndarray, parent: Any, levels: int, uv: bool = False
    ) -> None:
        faces = base.faces[chosen]
        self.ids = np.unique(faces)
        renumber = np.full(len(base.vertices), -1)
        renumber[self.ids] = np.arange(len(self.ids))
        mesh = self.mesh = bpy.data.meshes.new(name)
        polygons = [self._corners(f) for f in renumber[faces]]
        mesh.from_pydata(base.vertices[self.ids].tolist(), [], polygons)
        if uv:
            corners = np.concatenate([base.uv[self._corners(f)] for f in base.face_uv[chosen]])
            mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", corners.ravel())
        mesh.polygons.foreach_set("use_smooth", np.ones(len(polygons), bool))
        rest = mesh.attributes.new("rest", "FLOAT_VECTOR", "POINT")
        rest.data.foreach_set("vector", base.vertices[self.ids].astype(np.float32).ravel())
        self.object = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(self.object)
        self.object.parent = parent
        if levels:
            modifier = self.object.modifiers.new("smooth", "SUBSURF")
            modifier.levels = modifier.render_levels = levels

    @staticmethod
    def _corners(face: np.ndarray) -> list[int]:
        return list(face[:3] if face[2] == face[3] else face)

    def attribute(self, name: str, values: np.ndarray) -> None:
        attribute = self.mesh.attributes.get(name) or self.mesh.attributes.new(name, "FLOAT", "POINT")
        attribute.data.foreach_set("value", np.asarray(values, np.float32))

    def move(self, vertices: np.ndarray) -> None:
        self.mesh.vertices.foreach_set("co", vertices[self.ids].ravel())
        self.mesh.update()


class Eyes:
    """Two spheres with a painted iris, fitted to the eyeballs of each person."""

    def __init__(self, parent: Any) -> None:
        g = Graph("eye")
        split = g.node("ShaderNodeSeparateXYZ")
        g.feed(g.node("ShaderNodeTexCoord").outputs["Object"], split.inputs[0])
        x, y, z = split.outputs
        # +z looks out of the unit sphere, so the distance from that axis runs from pupil to white
        radius = g.op("SQRT", g.op("ADD", g.op("MULTIPLY", x, x), g.op("MULTIPLY", y, y)))
        behind = g.op("LESS_THAN", z, 0.0)
        ramp = g.node("ShaderNodeValToRGB")
        stops = self._stops = ramp.color_ramp.elements
        stops[0].position, stops[0].color = 0.0, (0.003, 0.003, 0.003, 1)
        stops[1].position, stops[1].color = 1.0, (0.42, 0.27, 0.25, 1)
        for position, colour in (
            (0.17, (0.003,) * 3),
            (0.2, (0.1,) * 3),
            (0.38, (0.1,) * 3),
            (0.44, (0.02,) * 3),
            (0.49, (0.60, 0.565, 0.54)),
            (0.8, (0.54, 0.48, 0.45)),
        ):
            stops.new(position).color = (*colour, 1)
        g.feed(g.op("ADD", radius, behind), ramp.inputs[0])
        g.set(Base_Color=ramp.outputs[0], Roughness=0.05, Specular_IOR_Level=0.4)
        self.objects = []
        for name in ("eye_left", "eye_right"):
            bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=24, radius=1)
            ball = bpy.context.object
            ball.name = name
            ball.data.materials.append(g.material)
            ball.data.polygons.foreach_set("use_smooth", np.ones(len(ball.data.polygons), bool))
            ball.parent = parent
            self.objects.append(ball)

    def wear(self, person: Person, identity: np.ndarray) -> None:
        inner, outer = IRIS_COLOURS[person.iris]
        self._stops[2].color, self._stops[3].color = (*inner, 1), (*outer, 1)
        self._stops[4].color = (*(np.array(inner) * 0.3), 1)
        for ball, part in zip(self.objects, (LEFT_EYE, RIGHT_EYE), strict=True):
            points = identity[part]
            middle = (points.min(0) + points.max(0)) / 2
            radius = (points.max(0) - points.min(0))[:2].mean() / 2
            ball.location = (middle[0], middle[1], points[:, 2].max() - radius)
            ball.scale = (radius,) * 3

    def look(self, yaw: float, pitch: float) -> None:
        for ball in self.objects:
            ball.rotation_euler = (math.radians(-pitch), math.radians(yaw), 0)


def _teeth_material() -> Any:
    g = Graph("teeth")
    _, x, _, _ = g.rest_position()
    gap = g.op("POWER", g.op("ABSOLUTE", g.op("COSINE", g.op("MULTIPLY", x, math.pi / 0.078))), 10.0)
    colour = g.mix((0.74, 0.70, 0.61, 1), (0.30, 0.20, 0.16, 1), gap, 0.45)
    # A little light of their own: the mouth cavity is darker here than in life, and teeth at its corner turn black.
    g.set(Base_Color=colour, Roughness=0.25, Emission_Color=colour, Emission_Strength=0.12)
    return g.material


def _plain_material(name: str, colour: tuple[float, float, float], **inputs: float) -> Any:
    g = Graph(name)
    g.set(Base_Color=(*colour, 1), **inputs)
    return g.material


class Head:
    """One head that takes on people and expressions in turn.

    Args:
        assets: the wheel's data.
        folder: where textures are unpacked.
        levels: subdivision of the skin; 1 is enough at 112 pixels.
        density: share of the full number of hair strands.
        scatter: subsurface scattering in the skin.
    """

    def __init__(self, assets: Assets, folder: Path, levels: int, density: float, scatter: bool) -> None:
        self.assets, self.density = assets, density
        base = self.base = assets.base_mesh()
        self.root = bpy.data.objects.new("root", None)
        bpy.context.scene.collection.objects.link(self.root)
        low = base.vertices[base.faces][:, :, 1].min(1)
        wide = np.abs(base.vertices[base.faces][:, :, 0]).max(1)
        bust = (base.group == "body") & (low > 5.2) & (wide < 2.4)
        self.skin_part = Part("skin", base, bust, self.root, levels, uv=True)
        teeth = Part("teeth", base, np.isin(base.group, ["helper-upper-teeth", "helper-lower-teeth"]), self.root, 1)
        tongue = Part("tongue", base, base.group == "helper-tongue", self.root, 1)
        lashes = Part("lashes", base, np.char.find(base.group.astype(str), "eyelashes-2") >= 0, self.root, 0)
        self.parts = [self.skin_part, teeth, tongue, lashes]

        self.skin = Skin(assets, folder, scatter)
        self.skin_part.mesh.materials.append(self.skin.graph.material)
        for name, values in self.skin.attributes(base.vertices[self.skin_part.ids]).items():
            self.skin_part.attribute(name, values)
        teeth.mesh.materials.append(_teeth_material())
        tongue.mesh.materials.append(_plain_material("tongue", (0.42, 0.13, 0.12), Roughness=0.4))
        lashes.mesh.materials.append(_plain_material("lashes", (0.02, 0.015, 0.01), Roughness=0.8, Alpha=0.55))
        self.eyes = Eyes(self.root)
        self.scalp = Scalp(base.vertices, base.faces[bust])
        self.hair_material, self.brow_material = HairMaterial("hair", 0.45), HairMaterial("brow", 0.7)
        self.frame_material = _plain_material("glasses", (0.02, 0.017, 0.015), Roughness=0.3)
        self.hair: Strands | None = None
        self.tufts: list[tuple[Strands, tuple[Any, ...]]] = []
        self.glasses: Any = None

    def wear(self, person: Person) -> None:
        """Become a person: shape, colours, hair. Call `express` before rendering."""
        self.person = person
        base = self.base.vertices
        shape = self.assets.morph(base, weights_of(person))
        self.shape = shape + base[EYES].mean(0) - shape[EYES].mean(0)
        body = base[BODY]
        chin = (np.abs(body[:, 0]) < 0.1) & (body[:, 2] > 1.1) & (body[:, 1] > 6.15) & (body[:, 1] < 6.45)
        self.chin = float(self.shape[BODY][chin, 1].min())

        self.skin.dress(person)
        self.skin_part.attribute("scalp", scalp_weight(base[self.skin_part.ids], person.hairline))
        self.eyes.wear(person, self.shape)
        self._grow(person)
        self._put_on_glasses(person)

    def _grow(self, person: Person) -> None:
        for strands in [self.hair, *(t[0] for t in self.tufts)]:
            if strands is not None:
                strands.remove()
        self.hair_material.paint(np.array(HAIR_COLOURS[person.hair]))
        self.brow_material.paint(brow_colour(person))
        grown = self.scalp.hair(self.shape, person, self.density)
        self.hair = None
        if grown is not None:
            points, radius = grown
            self.hair = Strands("hair", points, radius, self.hair_material.material, self.root, 0.4)
        rng = np.random.default_rng([person.seed, 4])
        roots, direction = self.scalp.brow(rng, person)
        length = rng.uniform(0.05, 0.085, len(direction))
        self.tufts = [self._tuft("brow", (roots, direction, length, 0.22), 0.0029, self.brow_material)]
        if person.beard >= 0.5:
            beard = (*self.scalp.beard(rng, person, self.density), 0.5)
            self.tufts.append(self._tuft("beard", beard, 0.0022 * self.density**-0.5, self.hair_material))

    def _tuft(
        self, name: str, spec: tuple[Any, ...], radius: float, material: HairMaterial
    ) -> tuple[Strands, tuple[Any, ...]]:
        points = self.scalp.tufts(self.shape, *spec)
        return Strands(name, points, radius, material.material, self.root, 0.3), spec

    def _put_on_glasses(self, person: Person) -> None:
        if self.glasses is not None:
            data = self.glasses.data
            bpy.data.objects.remove(self.glasses)
            bpy.data.curves.remove(data)
            self.glasses = None
        if not person.glasses:
            return
        curve = bpy.data.curves.new("glasses", "CURVE")
        curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", 0.011, 2
        left, right = self.shape[LEFT_EYE].mean(0), self.shape[RIGHT_EYE].mean(0)
        body = self.shape[BODY]
        bridge = body[(np.abs(body[:, 0]) < 0.06) & (np.abs(body[:, 1] - left[1]) < 0.06), 2].max()
        width, height, power = (0.215, 0.20, 2.0) if person.glasses == "round" else (0.235, 0.165, 4.0)
        angle = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        centre_y, z = left[1] - 0.035, bridge + 0.055

        def add(points: np.ndarray, closed: bool) -> None:
            spline = curve.splines.new("POLY")
            spline.points.add(len(points) - 1)
            spline.points.foreach_set("co", np.c_[points, np.ones(len(points))].ravel())
            spline.use_cyclic_u = closed

        edges = []
        for eye in (left, right):
            c, s = np.cos(angle), np.sin(angle)
            x = eye[0] + width * np.sign(c) * np.abs(c) ** (2 / power)
            y = centre_y + height * np.sign(s) * np.abs(s) ** (2 / power)
            depth = z - 0.25 * (np.abs(x) - 0.1).clip(0) ** 1.5  # frames wrap around the face
            add(np.c_[x, y, depth], True)
            edges.append(eye[0])
        inner = min(abs(e) for e in edges) - width
        span = np.linspace(-inner, inner, 7)
        add(np.c_[span, centre_y + 0.06 + 0.03 * (1 - (span / inner) ** 2), np.full(7, z)], False)
        for sign, eye in ((1, left), (-1, right)):
            if np.sign(eye[0]) != sign:
                eye = right if sign == 1 else left
            start = abs(eye[0]) + width
            reach = np.linspace(0, 1, 6)
            ear = np.abs(body[:, 0])[(body[:, 1] > 7.2) & (body[:, 1] < 7.4) & (np.abs(body[:, 2] - 0.5) < 0.1)].max()
            x = start + (max(ear * 0.92, start) - start) * reach
            add(
                np.c_[
                    sign * x,
                    centre_y + 0.07 + 0 * reach,
                    (z - 0.25 * (start - 0.1) ** 1.5) * (1 - reach) + 0.45 * reach,
                ],
                False,
            )
        curve.materials.append(self.frame_material)
        self.glasses = bpy.data.objects.new("glasses", curve)
        bpy.context.scene.collection.objects.link(self.glasses)
        self.glasses.parent = self.root

    def express(self, units: Weights, gaze: tuple[float, float]) -> None:
        """Move the face of the present person; gaze is (yaw, pitch) in degrees."""
        vertices = self.assets.morph(self.shape, units)
        for strands, spec in self.tufts:
            strands.move(self.scalp.tufts(vertices, *spec))
        y = vertices[UPPER_TEETH, 1]
        vertices[UPPER_TEETH, 1] = (
            y.max() + (y - y.max()) * 1.25
        )  # the model's upper teeth are too short to show in a smile
        for part in self.parts:
            part.move(vertices)
        self.eyes.look(*gaze)
        self.skin.wrinkle(wrinkles(units, self.person.age))
