"""Protocols as TOML files. An error names the file, the field, and what is allowed there."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ldlva.errors import SurveyError
from ldlva.survey.protocol import Protocol, map_texts

LARGEST_FILE = 1_000_000

_ALLOWED = {
    "bool_type": "true or false",
    "dict_type": "a text, or a table with a text for each language",
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "model_type": "a table",
}
"""What is allowed, by the kind of pydantic's error, where its own words are a programmer's."""


def read_protocol(path: Path) -> Protocol:
    """The protocol in a TOML file.

    Raises:
        SurveyError: the file cannot be read, is not TOML, or a field is wrong; all wrong fields are named.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise SurveyError(f"{path} is larger than a protocol can be (1 MB).")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SurveyError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise SurveyError(f"{path} is not a text file in UTF-8.") from None
    return parse_toml(text, str(path))


def parse_toml(text: str, name: str = "The protocol") -> Protocol:
    """The protocol in a TOML text; `name` begins every error."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SurveyError(f"{name} is not TOML: {error}.") from None
    return check_protocol(content, name)


def check_protocol(content: Any, name: str = "The protocol") -> Protocol:
    """Plain data as a protocol.

    Raises:
        SurveyError: a field is wrong; all wrong fields are named, with what is allowed.
    """
    try:
        return Protocol.model_validate(content)
    except ValidationError as error:
        problems = [_sentence(problem) for problem in error.errors(include_url=False)]
        raise SurveyError(f"{name}: " + "; ".join(problems) + ".") from None


def to_toml(protocol: Protocol) -> str:
    """The whole protocol, defaults included, so that every setting can be seen and edited. Reads back as it was."""
    first = protocol.languages[0]

    def plain(text: dict[str, str]) -> Any:
        return text[first] if set(text) == {first} else text or None

    content = _without_none(map_texts(protocol.model_dump(mode="json"), plain))
    # Where nothing else is said, an option's text is its value: shown as the plain string it may be written as.
    for question in content["demographics"]:
        question["options"] = [option["value"] if "text" not in option else option for option in question["options"]]
    return tomli_w.dumps(content, multiline_strings=True)


def _without_none(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_none(value) for key, value in node.items() if value is not None}
    return [_without_none(value) for value in node] if isinstance(node, list) else node


def _sentence(problem: ErrorDetails) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    kind, given = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        known = ", ".join(_fields(problem["loc"][:-1]))
        return f"{where} is no setting; known here are {known}"
    if kind == "missing":
        return f"{where} is missing"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message = _ALLOWED.get(kind, message)
    if kind == "value_error":
        return f"{where}: {message}" if where else message
    if kind == "literal_error":
        return f"{where} is {given!r}; allowed are {message}"
    shown = repr(given)
    return f"{where} is {shown if len(shown) <= 60 else shown[:57] + '...'}; allowed is {message}"


def _fields(location: Iterable[int | str]) -> list[str]:
    """Names of the fields of the table at a place in the protocol."""
    model: type[BaseModel] = Protocol
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
