"""A study's protocol on its page: a form for what most studies set, the whole file for everything else."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import streamlit as st

from ldlva.survey.protocol import Protocol, known_languages
from ldlva.survey.protocol_file import check_protocol, parse_toml, to_toml
from ldlva.survey.records import StudySummary
from ldlva.ui import components
from ldlva.ui.protocol_lines import answers_to_lines, labels_to_lines, lines_to_answers, lines_to_labels
from ldlva.ui.session import explained, repository

MODES = {
    "single": "One emotion",
    "multiple": "Several emotions",
    "intensity": "One, and how strong",
    "valence_arousal": "One, and a point on the valence-arousal grid",
}
LABEL_SETS = {"basic7": "Seven basic", "basic8": "Seven and contempt", "own": "Your own"}
RULES = {"none": "Never", "quota": "After a number of votes", "precision": "When precise enough"}
WHO = {
    "anyone": "Anyone with the study's address",
    "link": "Who has the secret link",
    "one_time": "One-time links only",
}

_SAVED = "protocol-saved"

Field = Callable[..., Any]


def draw(study: StudySummary) -> None:
    """The protocol, editable while the study is a draft or paused."""
    editable = study.status in ("draft", "paused")
    st.html(
        f'<div class="muted">Version {study.protocol_version} · SHA-256 <code>{study.protocol_hash[:16]}…</code> · '
        "every vote keeps the hash of the protocol it was made under.</div>"
    )
    if (saved := st.session_state.pop(_SAVED, None)) is not None:
        st.html(components.notice(saved))
    if not editable:
        st.html(components.notice("Volunteers rely on this protocol. Pause the study to change it."))
    view = st.segmented_control("Edit as", ["Form", "File"], default="Form", required=True, key="protocol-view")
    with explained():
        (_draw_form if view == "Form" else _draw_file)(study, editable)


def _draw_file(study: StudySummary, editable: bool) -> None:
    version = f"{study.name}-{study.protocol_version}"
    text = to_toml(study.protocol)
    st.download_button(
        "Download protocol.toml", text, f"{study.name}-protocol.toml", "application/toml",
        key="protocol-download", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    loaded = st.file_uploader(
        "Load a protocol file", type=["toml"], key=f"protocol-load-{version}", disabled=not editable
    )
    if loaded is not None:
        text = loaded.getvalue().decode("utf-8", errors="replace")
    edited = st.text_area(
        "Protocol (TOML)", text, height=520, disabled=not editable,
        key=f"protocol-text-{version}-{'' if loaded is None else loaded.file_id}",
    )  # fmt: skip
    if st.button("Save protocol", key="save-file", type="primary", disabled=not editable):
        _save(study, parse_toml(edited or "", "The text"))


def _draw_form(study: StudySummary, editable: bool) -> None:
    version = f"{study.name}-{study.protocol_version}"

    def field(widget: Callable[..., Any], label: str, name: str, *arguments: Any, **options: Any) -> Any:
        return widget(label, *arguments, key=f"p-{name}-{version}", **{"disabled": not editable, **options})

    protocol = study.protocol
    content = protocol.model_dump(mode="json")
    _texts(protocol, content, field)
    fixed = editable and study.volunteers + study.imported_raters > 0
    _answers(protocol, content, field, fixed)
    _faces(protocol, content, field, repository().image_names(study))
    _stopping(content, field)
    _people(content, field)
    asked = ", ".join(question["key"] for question in content["demographics"]) or "none yet"
    st.html(
        f'<div class="muted">Only under “File”: questions about volunteers ({escape(asked)}), answers to practice '
        "faces, attention rules.</div>"
    )
    if st.button("Save protocol", key="save-form", type="primary", disabled=not editable):
        first = content["languages"][0]
        content["labels"]["own"] = (
            lines_to_labels(content["labels"]["own"], first, protocol.labels.own)
            if content["labels"]["set"] == "own"
            else []
        )
        content["faces"]["gold"] = lines_to_answers(content["faces"]["gold"], "Gold faces")
        practice = content["faces"]["practice"]
        kept = {name: labels for name, labels in content["faces"]["practice_answers"].items() if name in practice}
        content["faces"]["practice_answers"] = kept
        _save(study, check_protocol(content))


def _save(study: StudySummary, protocol: Protocol) -> None:
    version = repository().set_protocol(study.name, protocol)
    unchanged = version == study.protocol_version
    st.session_state[_SAVED] = "Nothing changed." if unchanged else f"Saved as version {version}."
    st.rerun()


def _texts(protocol: Protocol, content: dict[str, Any], field: Field) -> None:
    st.subheader("What volunteers read")
    languages = field(
        st.multiselect,
        "Languages, the first is the default",
        "languages",
        list(known_languages()),
        content["languages"],
    )
    content["languages"] = languages or ["en"]
    for name in ("title", "description", "debrief"):
        content[name] = {}
    consent: dict[str, str] = {}
    areas = st.tabs(content["languages"]) if len(content["languages"]) > 1 else [st.container()]
    for language, area in zip(content["languages"], areas, strict=True):
        with area:
            for name, label, height in (("title", "Title", 0), ("description", "Description", 80)):
                content[name] |= _text(field, label, name, language, getattr(protocol, name), height)
            consent |= _text(field, "Consent text", "consent", language, protocol.consent.text, 180)
            content["debrief"] |= _text(field, "Debrief, shown at the end", "debrief", language, protocol.debrief, 80)
    left, _ = st.columns(2)
    with left:
        version = field(st.text_input, "Version of the consent text", "consent-version", content["consent"]["version"])
    content["consent"] = {"version": (version or "").strip(), "text": consent}


def _text(field: Field, label: str, name: str, language: str, texts: dict[str, str], height: int) -> dict[str, str]:
    before = texts.get(language, "")
    options = {"height": height} if height else {}
    text = field(st.text_area if height else st.text_input, label, f"{name}-{language}", before, **options)
    return {language: text.strip()} if text and text.strip() else {}


def _answers(protocol: Protocol, content: dict[str, Any], field: Field, fixed: bool) -> None:
    st.subheader("How they answer")
    if fixed:
        st.html('<div class="muted">Labels and answers are fixed since somebody took part. Clone the study.</div>')
    lock = {"disabled": True} if fixed else {}
    labels, response = content["labels"], content["response"]
    left, right = st.columns(2)
    with left:
        labels["set"] = _choice(field, "Labels", "labels", LABEL_SETS, labels["set"], **lock)
        response["none_option"] = field(st.checkbox, "“None of these”", "none", response["none_option"], **lock)
        response["other_option"] = field(st.checkbox, "“Other”, with a word", "other", response["other_option"], **lock)
    with right:
        response["mode"] = _choice(field, "Answer", "mode", MODES, response["mode"], **lock)
        shuffled = response["option_order"] == "shuffled"
        shuffled = field(st.checkbox, "Shuffle the choices for each volunteer", "shuffle", shuffled, **lock)
        response["option_order"] = "shuffled" if shuffled else "fixed"
    before = labels_to_lines(protocol.labels.own, protocol.languages[0])
    labels["own"] = before
    if labels["set"] == "own":
        labels["own"] = field(
            st.text_area, "Your labels, one a line: name = Title #colour", "own", before, height=120,
            placeholder="pride = Pride #2D5BA8\nshame = Shame", **lock,
        )  # fmt: skip


def _faces(protocol: Protocol, content: dict[str, Any], field: Field, names: list[str]) -> None:
    st.subheader("Which faces they see")
    faces, shown = content["faces"], content["presentation"]
    left, right = st.columns(2)
    with left:
        every = faces["per_volunteer"] or 0
        faces["per_volunteer"] = (
            field(st.number_input, "Faces per volunteer (0: all)", "per", 0, 100_000, every) or None
        )
        faces["repeated"] = field(
            st.number_input, "Of these, shown a second time", "repeat", 0, 1000, faces["repeated"]
        )
        order = _choice(
            field, "Order", "order", {"random": "Random for each volunteer", "fixed": "By file name"}, shown["order"]
        )
        shown["order"] = order
    with right:
        exposure = shown["exposure_ms"] or 0
        exposure = field(st.number_input, "Face is visible for ms (0: until the answer)", "ms", 0, 60_000, exposure)
        shown["exposure_ms"] = exposure or None
        shown["fixation_ms"] = field(
            st.number_input, "Cross before each face for ms (0: none)", "cross", 0, 10_000, shown["fixation_ms"]
        )
        shown["break_every"] = field(
            st.number_input, "Break after every … faces (0: none)", "break", 0, 10_000, shown["break_every"]
        )
    present = [name for name in faces["practice"] if name in names]
    faces["practice"] = field(st.multiselect, "Practice faces, shown first", "practice", names, present)
    faces["gold"] = field(
        st.text_area, "Gold faces with a known answer, one a line: face.png = fear, surprise", "gold",
        answers_to_lines(protocol.faces.gold), height=90,
    )  # fmt: skip


def _stopping(content: dict[str, Any], field: Field) -> None:
    st.subheader("When a face has enough votes")
    stopping = content["stopping"]
    rule = _choice(field, "A face stops", "rule", RULES, stopping["rule"])
    new: dict[str, Any] = {"rule": rule, "fewest_votes": stopping["fewest_votes"]}
    if rule == "quota":
        new["votes_per_face"] = field(
            st.number_input, "Votes per face", "quota", 1, 100_000, stopping["votes_per_face"] or 10
        )
    elif rule == "precision":
        left, middle, right = st.columns(3)
        with left:
            new["half_width"] = field(
                st.number_input, "Half width of the 95% interval of its top share", "width", 0.01, 0.49,
                stopping["half_width"] or 0.1, step=0.01,
            )  # fmt: skip
        with middle:
            new["fewest_votes"] = field(st.number_input, "Fewest votes", "fewest", 1, 100_000, stopping["fewest_votes"])
        with right:
            new["most_votes"] = field(st.number_input, "Most votes", "most", 1, 100_000, stopping["most_votes"] or 100)
    content["stopping"] = new


def _people(content: dict[str, Any], field: Field) -> None:
    st.subheader("Who takes part")
    access, completion = content["access"], content["completion"]
    left, right = st.columns(2)
    with left:
        access["who"] = _choice(field, "Open to", "who", WHO, access["who"])
        access["listed"] = field(st.checkbox, "Listed on the home page", "listed", access["listed"])
        parameter = field(
            st.text_input, "Participant's number in the link (name of the parameter)", "pid",
            access["participant_id"] or "", placeholder="PROLIFIC_PID",
        )  # fmt: skip
        access["participant_id"] = (parameter or "").strip() or None
        access["participant_id_required"] = bool(access["participant_id"]) and field(
            st.checkbox, "Nobody takes part without a number", "pid-required", access["participant_id_required"]
        )
        plain = access["participant_id"] is not None and field(
            st.checkbox, "Store it readable, not hashed", "pid-plain", access["participant_id_storage"] == "plain"
        )
        access["participant_id_storage"] = "plain" if plain else "hashed"
    with right:
        code = field(st.text_input, "Completion code, the same for all", "code", completion["code"] or "")
        completion["code"] = (code or "").strip() or None
        completion["per_volunteer"] = field(
            st.checkbox, "A code of their own for each volunteer", "own-code", completion["per_volunteer"]
        )
        url = field(st.text_input, "Where they go when done", "url", completion["url"] or "", placeholder="https://…")
        completion["url"] = (url or "").strip() or None
        days = content["retention_days"] or 0
        content["retention_days"] = (
            field(st.number_input, "Forget who it was after … days (0: never)", "days", 0, 36_500, days) or None
        )


def _choice(field: Field, label: str, name: str, options: dict[str, str], before: str, **more: Any) -> str:
    values = list(options)
    return str(field(st.selectbox, label, name, values, values.index(before), format_func=options.__getitem__, **more))
