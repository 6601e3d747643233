"""Render a plan, one file a face, resumable at any point."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from .plan import SETS, Face, Plan
from .scene import QUALITIES, Quality, Studio, empty_scene


def image_path(folder: Path, plan: Plan, face: Face, quality: Quality) -> Path:
    """Where a face is kept. The fingerprint in the name makes a picture of an older plan invisible, not wrong."""
    return folder / f"{face.name}-{plan.fingerprint(face, quality)}.jpg"


def missing(folder: Path, plan: Plan, quality: Quality) -> list[Face]:
    return [f for f in plan.faces if not image_path(folder, plan, f, quality).exists()]


def render(plan: Plan, quality: Quality, folder: Path, wheel: Path, threads: int, faces: Iterable[Face]) -> None:
    """Render `faces` in order; consecutive faces of one person share the set-up of that person."""
    from .assets import Assets
    from .head import Head

    faces = list(faces)
    if not faces:
        return
    folder.mkdir(parents=True, exist_ok=True)
    empty_scene(quality, threads)
    head = Head(Assets(wheel), folder / "textures", quality.levels, quality.density, quality.scatter)
    studio = Studio(head, quality)
    worn = None
    scratch = folder / f".{faces[0].name}.png"
    for face in tqdm(faces, unit="face", disable=None):
        if face.person != worn:
            head.wear(plan.people[face.person])
            worn = face.person
        picture = studio.shoot(face, scratch)
        target = image_path(folder, plan, face, quality)
        partial = target.with_suffix(".part")
        picture.save(partial, "JPEG", quality=quality.jpeg, subsampling=0 if quality.size > 200 else 2, optimize=True)
        partial.rename(target)  # a file under its final name is always whole
    scratch.unlink(missing_ok=True)


def run(
    name: str,
    quality_name: str,
    folder: Path,
    wheel: Path,
    threads: int,
    shard: tuple[int, int],
    only: list[str],
    limit: int | None,
) -> None:
    """Render what is missing of a set, or of one shard of it (whole people, so that no work is done twice)."""
    plan, quality = SETS[name](), QUALITIES[quality_name]
    part, parts = shard
    mine = {person for i, person in enumerate(plan.people) if i % parts == part}
    todo = [f for f in missing(folder, plan, quality) if f.person in mine and (not only or f.name in only)]
    render(plan, quality, folder, wheel, threads, todo[:limit])


def run_parallel(name: str, quality_name: str, folder: Path, wheel: Path, workers: int) -> int:
    """Render with several processes of one thread each, which is faster for small pictures than one of several threads.

    Returns:
        0, or the first failing worker's exit status.
    """
    plan, quality = SETS[name](), QUALITIES[quality_name]
    command = [
        sys.executable,
        "-m",
        __package__,
        "render",
        "--set",
        name,
        "--quality",
        quality_name,
        "--work",
        str(folder.parent),
    ]
    command += ["--wheel", str(wheel), "--threads", "1"]
    processes = [
        subprocess.Popen(
            [*command, "--shard", f"{k}/{workers}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for k in range(workers)
    ]
    total = len(plan.faces)
    with tqdm(total=total, unit="face", initial=total - len(missing(folder, plan, quality))) as bar:
        while any(p.poll() is None for p in processes):
            time.sleep(2)
            bar.n = total - len(missing(folder, plan, quality))
            bar.refresh()
    for process in processes:
        if process.returncode:
            print(process.stderr.read()[-2000:] if process.stderr else "", file=sys.stderr)
            return process.returncode
    return 0
