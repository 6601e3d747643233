"""The study in a page's address: `?study=` and the page's picker name the same one, also after the browser's Back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from ldlva.errors import LdlvaError
from ldlva.survey.repository import Repository
from ldlva.ui import components

PARAMETER = "study"
_FOLLOWED = "study-followed"

Place = TypeVar("Place")


def asked() -> str | None:
    """The study that the page's address names, if any; there need not be one of that name."""
    return st.query_params.get(PARAMETER)


def name(study: str | None) -> None:
    """Have the address name a study, or none."""
    if study is None:
        st.query_params.pop(PARAMETER, None)
    elif study != asked():  # every assignment makes an entry of the browser's history
        st.query_params[PARAMETER] = study
    st.session_state[_FOLLOWED] = study


def follow(key: str, places: Mapping[str, Place], default: Place) -> bool:
    """Before a picker is drawn: have it choose what the address names, if that is news to it.

    After Back, the browser asks for the address of then but sends the picker as it was left; only what the address said
    last tells which of the two has changed. A study that does not exist leaves the picker with nothing chosen.

    Args:
        key: of the picker.
        places: what the picker calls each study, by the study's name.
        default: what it chooses where the address names none.

    Returns:
        Whether the picker is drawn for the first time.
    """
    is_new = key not in st.session_state
    if is_new or asked() != st.session_state.get(_FOLLOWED):
        wanted = asked()
        st.session_state[key] = default if wanted is None else places.get(wanted)
        st.session_state[_FOLLOWED] = wanted
    elif asked() is not None and asked() not in places:
        st.session_state[key] = None  # deleted while the page was open; the picker would turn to another one
    return is_new


def explain(repository: Repository, key: str) -> None:
    """Above a picker with nothing chosen: say that there is no study as the address names it, and which there are."""
    wanted = asked()
    if wanted is not None and st.session_state[key] is None:
        try:
            repository.study(wanted)
        except LdlvaError as error:
            st.html(components.alert(str(error)))


def known(repository: Callable[[], Repository]) -> str | None:
    """The study that the address names, if there is one; where the database cannot say, the page's body will."""
    wanted = asked()
    try:
        return wanted if wanted is not None and repository().has_study(wanted) else None
    except LdlvaError:
        return None
