"""Choosing faces to look at again."""

from __future__ import annotations

from typing import Annotated

import typer

from ldlva.errors import LdlvaError
from ldlva.survey.exploring import follow_up
from ldlva.survey.open import open_repository


def follow_up_study(
    name: Annotated[str, typer.Option(help="Name of the new study.")],
    source: Annotated[str, typer.Option("--from", help="Name of the study to take faces from.")],
    ambiguous: Annotated[int | None, typer.Option(help="So many faces with the highest vote entropy.", min=1)] = None,
    divergent: Annotated[
        int | None, typer.Option(help="So many faces on which models are farthest from people.", min=1)
    ] = None,
    conflicting: Annotated[
        int | None, typer.Option(help="So many faces on which models disagree with each other most.", min=1)
    ] = None,
) -> None:
    """Make a draft of the faces most worth a second look, with the same protocol; how they were chosen is recorded."""
    asked = {"ambiguity": ambiguous, "divergence": divergent, "conflict": conflicting}
    by = {order: count for order, count in asked.items() if count is not None}
    if not by:
        raise LdlvaError("Say which faces: --ambiguous N, --divergent N, --conflicting N, or several of them.")
    repository = open_repository()
    chosen = follow_up(repository, repository.study(source), name, by)
    print(f"Study {name!r} is a draft of {len(chosen)} faces. Open it with: study status {name} open")
