"""Commands about protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ldlva.cli.output import Json, print_json
from ldlva.errors import SurveyError
from ldlva.survey.open import open_repository
from ldlva.survey.protocol import parse_protocol
from ldlva.survey.protocol_file import read_protocol, to_toml

app = typer.Typer(no_args_is_help=True, help="A study's protocol: see, check and set it.")

Name = Annotated[str, typer.Argument(help="Name of the study.")]
File = Annotated[Path, typer.Argument(help="Protocol in TOML.")]


@app.command("show")
def show(
    name: Name,
    version: Annotated[int | None, typer.Option(help="An earlier version; default: the present one.")] = None,
    as_json: Json = False,
) -> None:
    """Print a study's protocol as TOML, every setting included; it can be edited and set again."""
    repository = open_repository()
    contents = dict(repository.protocol_contents(name))
    wanted = version if version is not None else max(contents)
    if wanted not in contents:
        raise SurveyError(f"{name!r} has no protocol version {wanted}; there are 1 to {max(contents)}.")
    protocol = parse_protocol(contents[wanted])
    if not as_json:
        print(to_toml(protocol), end="")
        return
    versions = [
        {"version": v.version, "hash": v.hash, "created_at": v.created_at.isoformat(), "votes": v.votes}
        for v in repository.protocol_versions(name)
    ]
    print_json({"study": name, "version": wanted, "protocol": protocol.model_dump(mode="json"), "versions": versions})


@app.command("check")
def check(file: File) -> None:
    """Check a protocol without storing it; wrong fields are named, with what is allowed."""
    protocol = read_protocol(file)
    print(f"{file} is a valid protocol. SHA-256: {protocol.hash}")


@app.command("set")
def set_protocol(name: Name, file: File) -> None:
    """Give a draft or paused study another protocol, as a new version. Earlier votes keep the hash of theirs."""
    protocol = read_protocol(file)
    version = open_repository().set_protocol(name, protocol)
    print(f"Study {name!r} has protocol version {version}. SHA-256: {protocol.hash}")
