"""The Studies page: all studies with their status and links. What one study is in detail is `study_detail`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st

from ldlva.errors import LdlvaError
from ldlva.jobs import Job
from ldlva.survey.demo import DEMO
from ldlva.survey.invitations import study_path
from ldlva.survey.preview import preview_key
from ldlva.survey.records import StudySummary
from ldlva.ui import components, preview
from ldlva.ui.session import repository
from ldlva.wording import counted

STATUS_BUTTONS = {
    "open": ("Open", ":material/play_arrow:"),
    "paused": ("Pause", ":material/pause:"),
    "closed": ("Close", ":material/lock:"),
}
PAGES = (
    ("vote", "Vote"),
    ("results", "Results"),
    ("compare", "Compare"),
    ("explore", "Explore"),
    ("embedding", "Embedding"),
)
"""Pages about one study, and what their links say."""

_FAILURE = "studies-failure"
_DONE = "studies-done"


def form_expanded(known: Sequence[StudySummary], running: Sequence[Job], ended: Sequence[Job]) -> bool:
    """Whether the form greets the visitor: only where there is nothing of their own to see yet."""
    return not running and not ended and all(study.name == DEMO.name for study in known)


def draw_study(study: StudySummary) -> None:
    """One study: where it stands, its link, and what can be done with it."""
    draw_head(study)
    draw_link(study)
    with st.container(horizontal=True, vertical_alignment="center"):
        draw_status_buttons(study)
        st.page_link(
            "pages/studies.py", label="Manage", icon=":material/tune:", query_params={"study": study.name}
        )  # fmt: skip
        draw_links(study, study.name)


def draw_head(study: StudySummary, level: int = 3) -> None:
    """Title, status and counts."""
    counts = [(study.images, "face"), (study.volunteers, "volunteer"), (study.votes, "vote")]
    if study.imported_raters:
        counts.insert(2, (study.imported_raters, "imported rater"))
    facts = " · ".join(counted(count, noun) for count, noun in counts)
    st.html(components.study_head(study.title, study.status, facts, study.name, level))


def draw_link(study: StudySummary) -> None:
    """The link for volunteers, or why there is none for all."""
    path = study_path(study)
    st.html('<div class="field-label">Link for volunteers</div>')
    if path is None:
        st.html('<div class="muted">Every volunteer needs a link of their own: Manage, then Invitations.</div>')
    else:
        st.code(server_address() + path, language=None, wrap_lines=True)


def draw_status_buttons(study: StudySummary) -> None:
    """Buttons for every status but the present one; a draft can only be opened."""
    for status, (label, icon) in STATUS_BUTTONS.items():
        if status != study.status and (study.status != "draft" or status == "open"):
            st.button(
                label,
                key=f"{status}-{study.name}",
                icon=icon,
                on_click=attempt,
                args=(repository().set_study_status, study.name, status),
            )


def draw_links(study: StudySummary, key: str) -> None:
    """Links to the study's other pages."""
    with st.container(horizontal=True, key=f"links-{key}", width="content", gap="xsmall"):
        for page, label in PAGES:
            if page != "vote" or study.status != "draft":
                st.page_link(f"pages/{page}.py", label=label, query_params={"study": study.name})


def preview_link(study: StudySummary) -> str:
    """Where a study can be tried out as a volunteer; keep it among researchers."""
    return f"{server_address()}/vote?" + urlencode({"study": study.name, preview.PARAMETER: preview_key(study)})


def server_address() -> str:
    """The address that links begin with; empty where the server does not know its own."""
    address = urlsplit(st.context.url or "")
    base = address.path.removesuffix("/").removesuffix("/studies")
    return f"{address.scheme}://{address.netloc}{base}" if address.netloc else ""


def show_outcome() -> None:
    """Say what went wrong with the last button, or what it did where the page does not show that."""
    if (failure := st.session_state.pop(_FAILURE, None)) is not None:
        st.html(components.alert(failure))
    if (done := st.session_state.pop(_DONE, None)) is not None:
        st.html(components.notice(done))


def show_done(text: str) -> None:
    """Say what a button did at the top of the page drawn next."""
    st.session_state[_DONE] = text


def attempt(change: Callable[..., Any], *arguments: Any) -> None:
    """Run a button's change; an expected error is shown at the top of the page drawn next."""
    try:
        change(*arguments)
    except LdlvaError as error:
        st.session_state[_FAILURE] = str(error)
