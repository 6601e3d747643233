"""A study's protocol: everything that decides what volunteers see and what is stored, as one frozen, validated value.

A protocol is written as TOML (`protocol_file`), kept with its study as canonical JSON, and known by the SHA-256 of
that JSON, which every vote carries.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Self, cast
from urllib.parse import quote

from pydantic import Field, field_validator, model_validator

from ldlva.emotions import Emotion
from ldlva.settings import PROJECT_ROOT
from ldlva.survey.protocol_sections import (
    Access,
    Attention,
    Completion,
    Consent,
    Faces,
    Labels,
    Presentation,
    Question,
    Response,
    Section,
    Stopping,
    Text,
    own_emotions,
)

TRANSLATIONS = PROJECT_ROOT / "ldlva" / "translations"
"""Where the volunteers' pages keep what they say, one file a language, named by its code."""

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")

_PLANNED_LANGUAGES = ("en", "vi", "es", "de", "fr", "zh", "ar")

DEFAULT_CONSENT = """\
You will see faces one at a time and choose the emotion you think each shows. There are no right or wrong answers.

Taking part is voluntary and anonymous: we store your choices, when you made them and how long each took. We do not \
ask or store who you are. You may stop at any time by closing the page.\
"""


def known_languages() -> tuple[str, ...]:
    """Codes of the languages that the pages speak: the names of the translation files, English first."""
    found = {path.stem for path in TRANSLATIONS.glob("*.*") if _LANGUAGE.fullmatch(path.stem)}
    return ("en", *sorted((found or set(_PLANNED_LANGUAGES)) - {"en"}))


class Protocol(Section):
    """A whole protocol. Texts have every language of `languages` or fall back on the first."""

    title: Text
    description: Text = {}
    languages: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    labels: Labels = Labels()
    response: Response = Response()
    presentation: Presentation = Presentation()
    faces: Faces = Faces()
    stopping: Stopping = Stopping()
    attention: Attention = Attention()
    consent: Consent
    demographics: tuple[Question, ...] = ()
    debrief: Text = {}
    completion: Completion = Completion()
    access: Access = Access()
    retention_days: Annotated[int, Field(strict=True, ge=1, le=36_500)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _spread_plain_texts(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        languages = given.get("languages")
        first = languages[0] if isinstance(languages, list | tuple) and languages else "en"

        def spread(text: Any) -> Any:
            return ({first: text} if text else {}) if isinstance(text, str) else text

        return map_texts(given, spread)

    @field_validator("languages")
    @classmethod
    def _languages(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        known = known_languages()
        for language in languages:
            if language not in known:
                raise ValueError(f"there is no translation for {language!r}; allowed are {', '.join(known)}")
        if len(set(languages)) < len(languages):
            raise ValueError("a language is named twice")
        return languages

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for where, text in _texts(self):
            if stray := sorted(set(text) - set(self.languages)):
                raise ValueError(f"{where} has a text in {stray[0]!r}, which is not among languages")
        for where, text in (("title", self.title), ("consent.text", self.consent.text)):
            if lacking := [language for language in self.languages if not text.get(language, "").strip()]:
                raise ValueError(f"{where} needs a text in {', '.join(lacking)}: volunteers must be able to read it")
        for label, accepted in {**self.faces.gold, **self.faces.practice_answers}.items():
            if unknown := [name for name in accepted if name not in self.label_names]:
                raise ValueError(f"faces: {label!r} accepts {unknown[0]!r}; labels are {', '.join(self.label_names)}")
        keys = [question.key for question in self.demographics]
        if len(set(keys)) < len(keys):
            raise ValueError("demographics: two questions have the same key")
        return self

    @cached_property
    def emotions(self) -> tuple[Emotion, ...]:
        """The labels in their order, with title (first language), colour and, where known, coordinates."""
        return own_emotions(self.labels, self.languages[0])

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """Stored names of the labels, in order."""
        return tuple(emotion.name for emotion in self.emotions)

    @cached_property
    def content(self) -> str:
        """Canonical JSON: every field, keys sorted, no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of `content`, in hexadecimal."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    def language(self, wanted: str | None) -> str:
        """The wanted language if the study is offered in it, else the first."""
        return wanted if wanted in self.languages else self.languages[0]

    @property
    def main_title(self) -> str:
        """The title in the study's first language."""
        return self.say(self.title, self.languages[0])

    def say(self, text: Mapping[str, str], language: str) -> str:
        """A text in a language; where that is missing or empty, in the first one; empty if there is none at all."""
        return text.get(language) or text.get(self.languages[0], "")

    def own_title(self, name: str, language: str) -> str | None:
        """The study's own title for a label; None for labels that pages have translations for."""
        for label in self.labels.own:
            if label.name == name and label.title:
                return self.say(label.title, language) or None
        return None

    def completion_url(self, code: str | None) -> str | None:
        """Where a volunteer goes when done, the code filled in."""
        url = self.completion.url
        return None if url is None else url.replace("{code}", quote(code or "", safe=""))


@lru_cache(maxsize=512)
def parse_protocol(content: str) -> Protocol:
    """A stored protocol. Files are read by `protocol_file`, which explains errors."""
    return Protocol.model_validate_json(content)


_TEXT_PATHS = (
    ("title",),
    ("description",),
    ("debrief",),
    ("consent", "text"),
    ("labels", "own", "title"),
    ("demographics", "text"),
    ("demographics", "options", "text"),
)


def map_texts(given: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy of a protocol's plain data with every text changed; what is not shaped like a protocol stays as it is."""
    result: Any = given
    for path in _TEXT_PATHS:
        result = _map_at(result, path, change)
    return cast(dict[str, Any], result)


def _map_at(node: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(node)
    if isinstance(node, list | tuple):
        return [_map_at(item, path, change) for item in node]
    if not isinstance(node, dict) or path[0] not in node:
        return node
    return {**node, path[0]: _map_at(node[path[0]], path[1:], change)}


def _texts(protocol: Protocol) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield "title", protocol.title
    yield "description", protocol.description
    yield "consent.text", protocol.consent.text
    yield "debrief", protocol.debrief
    for label in protocol.labels.own:
        yield f"labels.own {label.name!r}", label.title
    for question in protocol.demographics:
        yield f"demographics {question.key!r}", question.text
        for option in question.options:
            yield f"demographics {question.key!r}, option {option.value!r}", option.text
