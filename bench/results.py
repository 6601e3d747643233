"""The Results page's overview of a large study: everything it reads and computes before it can draw.

python bench/results.py [--votes 1000000] [--images 10000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ldlva.emotions import EMOTION_NAMES
from ldlva.survey.database import Database
from ldlva.survey.records import NewImage, NewStudy
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Volunteer, Vote
from ldlva.ui import results

ROUNDS = 5
RATERS = 200
PNG = bytes.fromhex("89504e470d0a1a0a")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--images", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/survey.db")
        database.prepare()
        repository = Repository(database)
        fill(database, repository, arguments.images, arguments.votes)
        study = repository.study("bench")
        votes = repository.votes(study)
        print(f"{study.votes:,} votes on {study.images:,} images, SQLite, median of {ROUNDS}")
        parts: dict[str, Callable[[], Any]] = {
            "studies and their counts": lambda: repository.study("bench"),
            "state of the votes": lambda: repository.version(study),
            "votes by face and label": lambda: repository.votes(study),
            "agreement with its interval": lambda: results.key_figures(study, votes),
            "order of the faces": lambda: results.most_ambiguous_first(votes),
        }
        total = 0.0
        for name, part in parts.items():
            seconds = sorted(timed(part) for _ in range(ROUNDS))[ROUNDS // 2]
            total += seconds
            print(f"{name:30} {1000 * seconds:7.0f} ms")
        print(f"{'overview':30} {1000 * total:7.0f} ms   (target 1000 ms)")


def timed(part: Callable[[], Any]) -> float:
    started = time.perf_counter()
    part()
    return time.perf_counter() - started


def fill(database: Database, repository: Repository, images: int, votes: int) -> None:
    """A study whose votes are spread evenly; pictures are not looked at."""
    pictures = [NewImage(f"{i:06d}.png", PNG + i.to_bytes(4, "big"), "image/png", 1, 1) for i in range(images)]
    repository.create_study(NewStudy("bench", "Bench"), pictures)
    study = repository.study("bench")
    ids = np.array(repository.votes(study).image_ids)
    rng = np.random.default_rng(0)
    with database.write() as session:
        raters = [Volunteer(study_id=study.id, source="bench", trials=[], options=[]) for _ in range(RATERS)]
        session.add_all(raters)
        session.flush()
        each = votes // RATERS
        for start, rater in enumerate(raters):
            chosen = ids[(np.arange(each) + start * each) % images]
            labels = rng.integers(0, len(EMOTION_NAMES), each)
            rows = [
                {"study_id": study.id, "volunteer_id": rater.id, "image_id": int(i), "choice": EMOTION_NAMES[c]}
                for i, c in zip(chosen, labels, strict=True)
            ]
            session.execute(insert(Vote), rows)


if __name__ == "__main__":
    main()
