"""Camera, light, background and the render call."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import mathutils
import numpy as np
from PIL import Image

from .head import EYES, Head
from .nodes import Graph
from .plan import Face, Light

CAMERA_DISTANCE = 12.0  # decimetres; closer bends the face, farther flattens it
FRAME_HEIGHT = 1.88  # picture height in eye-to-chin heights
LAMP_DISTANCE = 9.0
WALL_DISTANCE = 5.0
WALL_CELLS = 31


@dataclass(frozen=True)
class Quality:
    """How finely a set is rendered.

    Attributes:
        render: pixels rendered on a side.
        size: pixels kept on a side, after the reduction.
        samples: Cycles samples a pixel, before denoising.
        levels: subdivision of the skin.
        density: share of the hair strands; fewer are drawn thicker.
        scatter: subsurface scattering in the skin; costs a fifth of the time and does not show at 112 pixels.
        jpeg: JPEG quality.
    """

    render: int
    size: int
    samples: int
    levels: int
    density: float
    scatter: bool
    jpeg: int


QUALITIES = {
    "survey": Quality(render=384, size=384, samples=12, levels=2, density=2.2, scatter=True, jpeg=90),
    "training": Quality(render=128, size=112, samples=6, levels=1, density=0.5, scatter=False, jpeg=87),
    "preview": Quality(render=176, size=160, samples=6, levels=1, density=0.5, scatter=False, jpeg=92),
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what Blender writes to standard output from C to nowhere."""
    saved, sink = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(sink)


def empty_scene(quality: Quality, threads: int) -> None:
    """Start over with a Cycles scene that has a camera-ready world and nothing in it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.seed = "CPU", quality.samples, 0
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.transparent_max_bounces = 4, 6
    cycles.caustics_reflective = cycles.caustics_refractive = False
    render = scene.render
    render.resolution_x = render.resolution_y = quality.render
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGB"
    render.image_settings.compression = 0
    render.threads_mode, render.threads = "FIXED", threads
    render.use_persistent_data = True  # hair is rebuilt once a person, not once a face
    scene.view_settings.view_transform = "Standard"
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    scene.world = world


def _aim(thing: bpy.types.Object, place: np.ndarray, target: np.ndarray) -> None:
    place, target = mathutils.Vector(place), mathutils.Vector(target)
    thing.location = place
    thing.rotation_euler = (target - place).to_track_quat("-Z", "Y").to_euler()


class Studio:
    """A camera and three lamps around a head."""

    def __init__(self, head: Head, quality: Quality) -> None:
        self.head, self.quality = head, quality
        collection = bpy.context.scene.collection
        lens = bpy.data.cameras.new("camera")
        lens.sensor_width = 36
        self.camera = bpy.data.objects.new("camera", lens)
        collection.objects.link(self.camera)
        bpy.context.scene.camera = self.camera
        self.lamps = []
        for name in ("key", "fill", "rim"):
            lamp = bpy.data.objects.new(name, bpy.data.lights.new(name, "AREA"))
            lamp.data.shape = "DISK"  # its reflection is the catchlight in the eyes
            collection.objects.link(lamp)
            self.lamps.append(lamp)
        self._build_wall()

    def _build_wall(self) -> None:
        bpy.ops.mesh.primitive_grid_add(x_subdivisions=WALL_CELLS, y_subdivisions=WALL_CELLS, size=2)
        self.wall = bpy.context.object
        # Colours are kept in the mesh: with persistent data Cycles does not notice that an image changed.
        self.wall.data.color_attributes.new("wall", "FLOAT_COLOR", "POINT")
        g = Graph("wall")
        colour = g.node("ShaderNodeAttribute", attribute_name="wall").outputs["Color"]
        g.set(Base_Color=(0, 0, 0, 1), Specular_IOR_Level=0.0, Emission_Color=colour, Emission_Strength=1.0)
        self.wall.data.materials.append(g.material)
        # seen by the camera only: it neither lights the head nor shades it
        for ray in ("diffuse", "glossy", "transmission", "volume_scatter", "shadow"):
            setattr(self.wall, f"visible_{ray}", False)

    def pose(self, yaw: float, pitch: float, roll: float) -> None:
        """Turn the head about the neck (degrees), and keep the face in the middle of the picture."""
        head = self.head
        eyes = head.shape[EYES].mean(0)
        height = float(eyes[1] - head.chin)
        pivot = mathutils.Vector((0, eyes[1] - 0.6, eyes[2] - 1.1))
        turn = mathutils.Euler((math.radians(pitch), math.radians(yaw), math.radians(roll)), "YXZ").to_matrix().to_4x4()
        matrix = mathutils.Matrix.Translation(pivot) @ turn @ mathutils.Matrix.Translation(-pivot)
        head.root.matrix_world = matrix
        middle = matrix @ mathutils.Vector((0, eyes[1] - 0.30 * height, eyes[2] - 0.10))
        self.target = np.array(middle)
        self.camera.data.lens = 36 * CAMERA_DISTANCE / (height * FRAME_HEIGHT)
        _aim(self.camera, self.target + (0, 0, CAMERA_DISTANCE), self.target)

    def illuminate(self, light: Light) -> None:
        # Dark skin gets more light, as a photographer would expose for it, but not in proportion: it stays dark.
        gain = (0.38 / float(np.mean(self.head.person.tone))) ** 0.42
        background = bpy.context.scene.world.node_tree.nodes["Background"]
        background.inputs[0].default_value = (0.5, 0.5, 0.53, 1)
        background.inputs[1].default_value = light.ambient * gain
        w = light.warmth
        key_colour = (1, 1 - 0.07 * w, 1 - 0.18 * w) if w > 0 else (1 + 0.13 * w, 1 + 0.035 * w, 1)
        settings = (
            (light.azimuth, light.elevation, light.power, light.size, key_colour),
            (-0.9 * light.azimuth, 12.0, light.power * light.fill, 3.0, (0.95, 0.97, 1)),
            (170.0, 40.0, light.rim, 3.0, (1, 1, 1)),
        )
        for lamp, (azimuth, elevation, power, size, colour) in zip(self.lamps, settings, strict=True):
            a, e = math.radians(azimuth), math.radians(elevation)
            place = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
            _aim(lamp, self.target + LAMP_DISTANCE * place, self.target)
            lamp.data.energy, lamp.data.size, lamp.data.color = power * gain, size, colour

    def hang(self, colours: np.ndarray) -> None:
        """Put a backdrop `[N, N, 3]` (linear RGB) behind the head.

        It is part of the render, not pasted in behind it, so that the denoiser sees the edges of hair and skin whole.
        """
        rgba = np.ones((*colours.shape[:2], 4), np.float32)
        rgba[..., :3] = colours
        self.wall.data.color_attributes["wall"].data.foreach_set("color", rgba.ravel())
        self.wall.data.update()
        self.wall.location = self.target - (0, 0, WALL_DISTANCE)
        sight = CAMERA_DISTANCE + WALL_DISTANCE
        self.wall.scale = (1.02 * 36 * sight / self.camera.data.lens / 2,) * 3

    def shoot(self, face: Face, scratch: Path) -> Image.Image:
        """Render one face of the person the head wears, at the kept size."""
        self.head.express(face.units(), face.gaze())
        self.pose(face.yaw, face.pitch, face.roll)
        self.illuminate(face.light)
        self.hang(backdrop(face.seed))
        bpy.context.scene.render.filepath = str(scratch.resolve())
        with quiet():
            bpy.ops.render.render(write_still=True)
        with Image.open(scratch) as rendered:
            return rendered.convert("RGB").resize((self.quality.size,) * 2, Image.Resampling.LANCZOS)


def backdrop(seed: int) -> np.ndarray:
    """A soft, out-of-focus wall in linear RGB: a few cells of one tint, interpolated to the points of the wall."""
    rng = np.random.default_rng([seed, 5])
    tint = rng.uniform(0.25, 0.78) + rng.normal(0, 0.03, 3)
    cells = tint + rng.normal(0, 0.05, (5, 5, 1)) + rng.normal(0, 0.012, (5, 5, 3))
    small = Image.fromarray((np.clip(cells, 0, 1) * 255).astype(np.uint8))
    large = small.resize((WALL_CELLS + 1,) * 2, Image.Resampling.BICUBIC)
    return (np.asarray(large, np.float32) / 255) ** 2.2
