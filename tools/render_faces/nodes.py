"""A small builder for Blender shader graphs, so that skin and teeth read as formulas."""

from __future__ import annotations

import math
from typing import Any

import bpy

Socket = Any
"""A node output, or a plain number where one is accepted."""


class Graph:
    """The node tree of a new material with a Principled shader.

    Attributes:
        material: the Blender material.
        shader: its Principled BSDF node.
    """

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.shader = self.tree.nodes["Principled BSDF"]

    def set(self, **inputs: Any) -> None:
        """Set shader inputs; underscores stand for spaces."""
        for name, value in inputs.items():
            socket = self.shader.inputs[name.replace("_", " ")]
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = value

    def node(self, kind: str, **properties: Any) -> Any:
        node = self.tree.nodes.new(kind)
        for name, value in properties.items():
            setattr(node, name, value)
        return node

    def feed(self, value: Socket, socket: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def op(self, operation: str, *args: Socket, clamp: bool = False) -> Socket:
        node = self.node("ShaderNodeMath", operation=operation, use_clamp=clamp)
        for value, socket in zip(args, node.inputs, strict=False):
            self.feed(value, socket)
        return node.outputs[0]

    def value(self, start: float = 0.0) -> Any:
        """A number that is set from outside, per person or per face; returns the node."""
        node = self.node("ShaderNodeValue")
        node.outputs[0].default_value = start
        return node

    def colour(self) -> Any:
        return self.node("ShaderNodeRGB")

    def attribute(self, name: str) -> Socket:
        return self.node("ShaderNodeAttribute", attribute_name=name).outputs["Fac"]

    def rest_position(self) -> tuple[Socket, Socket, Socket, Socket]:
        """Vector, x, y, z of the point in the base mesh, before any morph: wrinkles and teeth are placed there."""
        vector = self.node("ShaderNodeAttribute", attribute_name="rest").outputs["Vector"]
        split = self.node("ShaderNodeSeparateXYZ")
        self.feed(vector, split.inputs[0])
        return vector, split.outputs[0], split.outputs[1], split.outputs[2]

    def mix(self, below: Socket, above: Socket, factor: Socket, strength: Socket = 1.0) -> Socket:
        """`below` covered by `above` by factor x strength, clamped to 0..1."""
        node = self.node("ShaderNodeMix", data_type="RGBA")
        self.feed(self.op("MULTIPLY", factor, strength, clamp=True), node.inputs["Factor"])
        self.feed(below, node.inputs[6])
        self.feed(above, node.inputs[7])
        return node.outputs[2]

    def scale(self, colour: Socket, factor: Socket) -> Socket:
        node = self.node("ShaderNodeVectorMath", operation="SCALE")
        self.feed(colour, node.inputs[0])
        self.feed(factor, node.inputs["Scale"])
        return node.outputs[0]

    def noise(self, vector: Socket, scale: float, detail: float = 2.0) -> Socket:
        node = self.node("ShaderNodeTexNoise")
        self.feed(vector, node.inputs["Vector"])
        node.inputs["Scale"].default_value = scale
        node.inputs["Detail"].default_value = detail
        return node.outputs["Fac"]

    def remap(self, value: Socket, low: Socket, high: Socket, start: float = 0.0, stop: float = 1.0) -> Socket:
        node = self.node("ShaderNodeMapRange")
        self.feed(value, node.inputs["Value"])
        node.inputs["From Min"].default_value = start
        node.inputs["From Max"].default_value = stop
        self.feed(low, node.inputs["To Min"])
        self.feed(high, node.inputs["To Max"])
        return node.outputs[0]

    def bell(self, value: Socket, centre: float, width: float) -> Socket:
        """exp(-((value - centre) / width)^2)."""
        offset = self.op("MULTIPLY", self.op("SUBTRACT", value, centre), 1 / width)
        return self.op("EXPONENT", self.op("MULTIPLY", self.op("POWER", self.op("ABSOLUTE", offset), 2.0), -1.0))

    def troughs(self, value: Socket, period: float, wobble: Socket) -> Socket:
        """Narrow parallel lines along `value`."""
        wave = self.op("SINE", self.op("ADD", self.op("MULTIPLY", value, 2 * math.pi / period), wobble))
        return self.op("POWER", self.op("MULTIPLY", self.op("ADD", wave, 1.0), 0.5), 4.0)
