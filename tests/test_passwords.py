"""The researchers' password: hash, proof of sign-in, limit on guesses."""

from __future__ import annotations

import io
import sys

import pytest

from ldlva.errors import LdlvaError
from ldlva.passwords import GuessLimit, check_hash, hash_password, is_password, is_proof, issue_proof
from ldlva.settings import settings
from tests.test_cli import run

PASSWORD = "a sentence nobody guesses"


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_password(PASSWORD)


def test_only_the_password_fits_its_hash_which_does_not_hold_it(stored: str) -> None:
    assert is_password(PASSWORD, stored)
    assert not is_password(PASSWORD + " ", stored)
    assert not is_password("", stored)
    assert PASSWORD not in stored
    assert hash_password(PASSWORD) != stored  # salted


def test_short_passwords_and_other_things_than_hashes_are_refused(stored: str) -> None:
    with pytest.raises(LdlvaError, match="at least 12"):
        hash_password("short")
    for damaged in (
        PASSWORD,
        stored[:-4],
        stored.replace("scrypt", "argon"),
        "scrypt:1073741824:8:1:AAAA:AAAA",
        "::::::",
    ):
        with pytest.raises(LdlvaError, match="ldlva password"):
            check_hash(damaged)


def test_a_proof_holds_until_it_expires_or_the_password_changes(stored: str) -> None:
    proof = issue_proof(stored, expires=1000)
    assert is_proof(proof, stored, now=999)
    assert not is_proof(proof, stored, now=1000)
    assert not is_proof(proof, hash_password(PASSWORD), now=999)
    assert not is_proof(proof.replace("1000.", "9000."), stored, now=999)
    for crafted in ("", ".", "1000", "1000.", "x.y", "٣٣.x", "9" * 5000 + ".x", "1000.ü"):
        assert not is_proof(crafted, stored, now=0)


def test_guesses_are_limited_per_address_and_over_all() -> None:
    limit = GuessLimit(most=3, seconds=60)
    for second in range(3):
        assert limit.wait("a", second) == 0
        limit.count("a", second)
    assert limit.wait("a", 10) == 50
    assert limit.wait("b", 10) == 0
    assert limit.wait("a", 61) == 0
    for number in range(30):
        limit.count(f"address {number}", 100)
    assert limit.wait("b", 110) == 50
    limit.count("b", 1000)
    assert set(limit._wrong) == {"b", ""}  # forgets who stopped


def test_the_command_prints_the_setting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
    assert run(monkeypatch, "password") == 0
    name, _, value = capsys.readouterr().out.strip().partition("=")
    assert name == "LDLVA_RESEARCHER_PASSWORD_HASH"
    assert is_password(PASSWORD, value)
    monkeypatch.setenv(name, PASSWORD)  # a password where its hash belongs must not pass for "no password"
    settings.cache_clear()
    with pytest.raises(LdlvaError, match=r"RESEARCHER_PASSWORD_HASH: .*not a hash") as caught:
        settings()
    assert PASSWORD not in str(caught.value)
