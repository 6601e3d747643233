"""Who sees the researchers' pages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ldlva.passwords import hash_password
from ldlva.settings import settings
from ldlva.ui import access
from tests.pages.test_pages import alert, html, open_page, titles

PASSWORD = "a sentence nobody guesses"
PAGES = ("results", "compare", "explore", "embedding", "studies", "training")
LOCAL = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}


@pytest.fixture
def with_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDLVA_RESEARCHER_ACCESS", "sign-in")
    monkeypatch.setenv("LDLVA_RESEARCHER_PASSWORD_HASH", hash_password(PASSWORD))
    settings.cache_clear()


def sign_in(app: AppTest, password: str) -> None:
    app.text_input(key="sign-in-password").set_value(password)
    app.button[0].click().run()
    assert not app.exception


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_sees_nothing_but_the_way_to_sign_in(page: str, with_password: None) -> None:
    app = open_page(page)
    assert titles(app) == ["Researchers, please sign in"]
    assert ">LDLVA<" not in html(app)  # no menu
    assert [field.label for field in app.text_input] == ["Password"]
    assert not app.selectbox


@pytest.mark.parametrize("page", PAGES)
def test_without_a_password_only_the_servers_own_machine_gets_in(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDLVA_RESEARCHER_ACCESS", "sign-in")
    monkeypatch.setattr(access, "is_local", lambda headers, address: False)
    settings.cache_clear()
    app = open_page(page)
    assert titles(app) == ["For researchers"]
    assert "python -m ldlva password" in html(app)


@pytest.mark.parametrize("page", PAGES)
def test_pages_can_be_switched_off(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDLVA_RESEARCHER_ACCESS", "off")
    settings.cache_clear()
    assert "takes votes only" in alert(open_page(page))


def test_the_password_opens_the_pages_until_sign_out(with_password: None) -> None:
    app = open_page("results")
    sign_in(app, "wrong password!")
    assert "not the password" in alert(app)
    sign_in(app, PASSWORD)
    assert titles(app) == ["Results"]
    assert f"{access.COOKIE}=" in html(app)
    app.switch_page("pages/studies.py").run()
    assert titles(app) == ["Studies"]
    app.button(key="sign-out").click().run()
    assert titles(app) == ["Researchers, please sign in"]
    assert f"{access.COOKIE}=; path=/; max-age=0" in html(app)


def test_guessing_is_stopped(with_password: None) -> None:
    app = open_page("results")
    for _ in range(6):
        sign_in(app, "wrong password!")
    assert "Too many wrong passwords" in alert(app)
    sign_in(app, PASSWORD)
    assert "Too many wrong passwords" in alert(app)


@pytest.mark.parametrize(
    ("headers", "address", "expected"),
    [
        (LOCAL, None, True),
        ({"Host": "127.0.0.1:80", "Origin": "http://127.0.0.1"}, None, True),
        ({"Host": "[::1]:8501", "Origin": "http://[::1]:8501"}, None, True),
        (LOCAL, "192.168.1.7", False),  # another machine on the network
        ({"Host": "192.168.1.5:8501", "Origin": "http://192.168.1.5:8501"}, None, False),
        (LOCAL | {"X-Forwarded-For": "203.0.113.9"}, None, False),  # a proxy on this machine
        (
            {"Host": "127.0.0.1:8501", "Origin": "https://study.example"},
            None,
            False,
        ),  # one that changes Host
        ({"Host": "rebound.example", "Origin": "http://rebound.example"}, None, False),  # a name pointed at 127.0.0.1
        ({"Host": "localhost.example", "Origin": "http://localhost.example"}, None, False),
        ({"Host": "localhost"}, None, False),
        ({}, None, True),  # no browser
        ({"Host": "[bad", "Origin": "http://[bad"}, None, False),
    ],
)
def test_what_counts_as_this_machine(headers: Mapping[str, str], address: str | None, expected: bool) -> None:
    assert access.is_local(headers, address) is expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"email": "ana@uni.example"}, True),
        ({"email": "Ana@Uni.Example", "email_verified": True}, True),
        ({"email": "bo@lab.example"}, True),
        ({"email": "ana@uni.example", "email_verified": False}, False),
        ({"email": "eve@uni.example.evil"}, False),
        ({"email": "eve@evil.example"}, False),
        ({}, False),
    ],
)
def test_an_identity_provider_lets_in_only_those_on_the_list(user: dict[str, object], expected: bool) -> None:
    assert access.is_admitted(user, "bo@lab.example, *@uni.example") is expected
    assert not access.is_admitted(user, "")


def test_a_configured_identity_provider_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDLVA_RESEARCHER_ACCESS", "sign-in")
    settings.cache_clear()
    monkeypatch.setattr(access, "_providers", lambda: [None, "google"])
    monkeypatch.setattr(type(st.user), "is_logged_in", False, raising=False)
    app = open_page("results")
    assert [button.label for button in app.button] == ["Sign in", "Sign in with google"]
