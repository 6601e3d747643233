"""Secrets of links and codes: how they are made, and what of them is stored. Pure functions."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Literal

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U, which are misread or misheard."""

_CODE_SIGNS = 12


def new_secret() -> str:
    """A secret for a link, 144 random bits."""
    return secrets.token_urlsafe(18)


def secret_hash(secret: str) -> str:
    """What the database keeps of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same_secret(given: str | None, stored: str) -> bool:
    """Whether a link's secret is the stored one; how long that takes tells nothing."""
    return given is not None and hmac.compare_digest(given.encode(), stored.encode())


def derived_token(secret: str, purpose: str) -> str:
    """A volunteer's resume token that the same link always leads to, so that opening it again continues.

    Args:
        secret: of the study (with a participant's number) or of a one-time link.
        purpose: what the token is for: a participant's number, or the same word for every one-time link.
    """
    return keyed_hash(secret, purpose)[:24]


def stored_participant(participant_id: str, secret: str, storage: Literal["hashed", "plain"]) -> str:
    """A participant's number as the protocol says it is stored; hashed with the study's secret, or as it is."""
    return participant_id if storage == "plain" else "sha256:" + keyed_hash(secret, "participant:" + participant_id)


def keyed_hash(secret: str, message: str) -> str:
    """Keyed hash (HMAC-SHA-256), in hexadecimal."""
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def withdrawal_code(token: str) -> str:
    """The code by which a volunteer withdraws, made of the resume token: whoever has the link can always read it.

    60 bits; the token cannot be found from it.
    """
    return _code(keyed_hash(token, "withdraw"))


def completion_code(token: str) -> str:
    """A code that proves that this volunteer has finished."""
    return _code(keyed_hash(token, "complete"))


def normalised_code(typed: str) -> str:
    """A typed code as it was printed, whatever its case, spaces and dashes, with misread signs put right."""
    signs = re.sub(r"[^0-9A-Z]", "", typed.upper()).translate(str.maketrans("OIL", "011"))
    return _dashed(signs)


def _code(digest: str) -> str:
    number = int(digest, 16)
    return _dashed("".join(_ALPHABET[number >> 5 * place & 31] for place in range(_CODE_SIGNS)))


def _dashed(signs: str) -> str:
    return "-".join(signs[start : start + 4] for start in range(0, len(signs), 4))
