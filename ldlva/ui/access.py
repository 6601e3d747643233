"""Who may see the researchers' pages, and how they sign in.

With a password (`LDLVA_RESEARCHER_PASSWORD_HASH`) or an identity provider (`[auth]` in Streamlit's secrets) set up,
researchers sign in. With neither, the pages open only for a browser on the server's own machine.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import json
import time
from collections.abc import Mapping
from html import escape
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

from ldlva.passwords import GuessLimit, is_password, is_proof, issue_proof
from ldlva.settings import settings
from ldlva.ui import components

COOKIE = "ldlva-researcher"

SIGNED_IN_SECONDS = 12 * 3600

FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")

_PROOF = "researcher-proof"
_COOKIE_TO_WRITE = "researcher-cookie"
_SAID = "sign-in-said"

Standing = Literal["off", "open", "local", "signed in", "stranger"]


def standing() -> Standing:
    """What the visitor is to the researchers' pages."""
    access = settings().researcher_access
    if access != "sign-in":
        return "off" if access == "off" else "open"
    if _has_proof() or _is_known_user():
        return "signed in"
    if not settings().researcher_password_hash and not _providers():
        return "local" if is_local(st.context.headers, st.context.ip_address) else "stranger"
    return "stranger"


def is_researcher() -> bool:
    """Whether the visitor may see the researchers' pages."""
    return standing() not in ("off", "stranger")


def is_local(headers: Mapping[str, str], address: str | None) -> bool:
    """Whether a browser on the server's own machine speaks to it directly.

    A proxy on the same machine also connects from there, but for a stranger; its browser's Origin, the Host it asked
    for, or a forwarding header gives that away. When in doubt, the answer is no.

    Args:
        headers: of the page's connection.
        address: the other end's, None for the loopback ones.
    """
    if not headers:  # no browser at all: a page run by a test or a script
        return True
    if address is not None or any(name in headers for name in FORWARDING_HEADERS):
        return False
    return _is_loopback(f"//{headers.get('Host', '')}") and _is_loopback(headers.get("Origin", ""))


def draw_gate() -> None:
    """What a stranger sees in place of a researchers' page: the way in, if there is one."""
    _write_cookie()
    if settings().researcher_access == "off":
        st.html(components.alert("This server takes votes only. Studies, results and models are on another one."))
        return
    password, providers = settings().researcher_password_hash, _providers()
    st.title("Researchers, please sign in" if password or providers else "For researchers")
    if not password and not providers:
        st.html(components.notice(_HOW_TO_OPEN))
        return
    _draw_unknown_user()
    for provider in providers:
        st.button(
            "Sign in" if provider is None else f"Sign in with {components.plain(provider)}",
            key=f"sign-in-{provider}",
            type="primary",
            on_click=st.login,
            args=() if provider is None else (provider,),
        )
    if password:
        with st.form("sign-in", border=False, width=420):
            entered = st.text_input(
                "Password", type="password", key="sign-in-password", autocomplete="current-password"
            )
            if st.form_submit_button("Sign in", type="primary"):
                _sign_in(entered, password)
        if (said := st.session_state.pop(_SAID, None)) is not None:
            st.html(components.alert(said))


def draw_standing() -> None:
    """At the end of the menu: the way out, or why none is needed."""
    _write_cookie()
    match standing():
        case "signed in":
            st.button("Sign out", key="sign-out", type="tertiary", on_click=_sign_out)
        case "local":
            st.html(f'<span class="standing" title="{escape(_LOCAL)}">this machine only</span>', width="content")
        case "open":
            st.html(f'<span class="standing" title="{escape(_OPEN)}">open to everyone</span>', width="content")


_LOCAL = "No password is set. These pages open only for browsers on the machine that the server runs on."
_OPEN = "LDLVA_RESEARCHER_ACCESS=open: whoever reaches this server may do everything here."
_HOW_TO_OPEN = (
    "No password is set, so the researchers' pages of this server open only in a browser on its own machine, at "
    "http://localhost.\nTo sign in from elsewhere: run python -m ldlva password on the server, set "
    "LDLVA_RESEARCHER_PASSWORD_HASH to what it prints, and restart."
)


@st.cache_resource(show_spinner=False)
def _limit() -> GuessLimit:
    return GuessLimit()


def _sign_in(entered: str, stored: str) -> None:
    address = st.context.ip_address
    address = address if isinstance(address, str) else "localhost"
    wait = _limit().wait(address, time.time())
    if wait > 0:
        st.session_state[_SAID] = f"Too many wrong passwords. Try again in {-(-wait // 60):.0f} min."
    elif is_password(entered, stored):
        proof = issue_proof(stored, int(time.time()) + SIGNED_IN_SECONDS)
        st.session_state[_PROOF] = proof
        st.session_state[_COOKIE_TO_WRITE] = (proof, SIGNED_IN_SECONDS)
        st.rerun()
    else:
        _limit().count(address, time.time())
        st.session_state[_SAID] = "This is not the password."


def _sign_out() -> None:
    st.session_state.pop(_PROOF, None)
    st.session_state[_COOKIE_TO_WRITE] = ("", 0)
    if _providers() and st.user.is_logged_in:
        st.logout()


def _has_proof() -> bool:
    stored = settings().researcher_password_hash
    if not stored:
        return False
    # After signing out the connection still carries the cookie it was opened with.
    has_changed = _COOKIE_TO_WRITE in st.session_state
    proof = st.session_state.get(_PROOF) or ("" if has_changed else st.context.cookies.get(COOKIE, ""))
    return is_proof(str(proof), stored, time.time())


def _write_cookie() -> None:
    """Keep the browser's cookie as this session left it. Streamlit cannot write one, a script can."""
    if _COOKIE_TO_WRITE not in st.session_state:
        return
    value, seconds = st.session_state[_COOKIE_TO_WRITE]
    cookie = json.dumps(f"{COOKIE}={value}; path=/; max-age={seconds}; SameSite=Strict")
    script = f"document.cookie = {cookie} + (location.protocol === 'https:' ? '; Secure' : '');"
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


def _providers() -> list[str | None]:
    """Identity providers in Streamlit's secrets; None is the one without a name."""
    if not st.secrets.load_if_toml_exists():
        return []
    section = st.secrets.get("auth", {})
    named: list[str | None] = [
        name for name, entry in section.items() if isinstance(entry, Mapping) and "client_id" in entry
    ]
    return ([None] if "client_id" in section else []) + named


def _is_known_user() -> bool:
    return bool(_providers()) and bool(st.user.is_logged_in) and is_admitted(st.user.to_dict(), settings().researchers)


def is_admitted(user: Mapping[str, object], admitted: str) -> bool:
    """Whether a provider's user is on the list: e-mail addresses or patterns such as `*@uni.example`, by comma."""
    email = str(user.get("email") or "").lower()
    if not email or user.get("email_verified") is False:
        return False
    return any(
        fnmatch.fnmatchcase(email, pattern.strip().lower()) for pattern in admitted.split(",") if pattern.strip()
    )


def _draw_unknown_user() -> None:
    if _providers() and st.user.is_logged_in:
        st.html(
            components.alert(
                f"You are signed in as {st.user.get('email', 'somebody without an e-mail address')}, who is not among "
                "this server's researchers (LDLVA_RESEARCHERS)."
            )
        )
        st.button("Sign out", key="sign-out", on_click=_sign_out)


def _is_loopback(address: str) -> bool:
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
