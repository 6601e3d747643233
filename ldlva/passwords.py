"""The researchers' password: its hash, proofs of having signed in, and a limit on guessing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections import deque
from dataclasses import dataclass, field

from ldlva.errors import LdlvaError

FEWEST_CHARACTERS = 12

_COST, _BLOCK, _PARALLEL = 2**15, 8, 1
"""scrypt's N, r and p: 32 MiB and about a tenth of a second for each guess (OWASP's advice is N = 2^17 or, as here,
less memory with a limit on guesses). They stand in the hash, so that they can change."""

_FORMAT = "scrypt"


def hash_password(password: str) -> str:
    """A salted hash to put into `LDLVA_RESEARCHER_PASSWORD_HASH`: letters, digits and `:-_` only, safe in any shell.

    Raises:
        LdlvaError: the password is shorter than `FEWEST_CHARACTERS`.
    """
    if len(password) < FEWEST_CHARACTERS:
        raise LdlvaError(f"The password is too short. Take at least {FEWEST_CHARACTERS} characters, a sentence say.")
    salt = secrets.token_bytes(16)
    derived = _derive(password, salt, _COST, _BLOCK, _PARALLEL)
    return ":".join((_FORMAT, str(_COST), str(_BLOCK), str(_PARALLEL), _encode(salt), _encode(derived)))


def check_hash(stored: str) -> None:
    """Whether a setting is a hash of `hash_password`.

    Raises:
        LdlvaError: it is not, for example a password itself.
    """
    _parse(stored)


def is_password(password: str, stored: str) -> bool:
    """Whether this is the password that was hashed; takes as long for a wrong one.

    Raises:
        LdlvaError: the stored hash is damaged.
    """
    cost, block, parallel, salt, derived = _parse(stored)
    return hmac.compare_digest(_derive(password, salt, cost, block, parallel), derived)


def issue_proof(stored: str, expires: int) -> str:
    """A proof of having signed in, valid until `expires` (seconds since 1970) or until the password changes."""
    return f"{expires}.{_sign(stored, expires)}"


def is_proof(proof: str, stored: str, now: float) -> bool:
    """Whether a proof was issued under this password and has not expired."""
    expires, _, signature = proof.partition(".")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        return False
    return hmac.compare_digest(_sign(stored, int(expires)).encode(), signature.encode()) and now < int(expires)


@dataclass
class GuessLimit:
    """Wrong passwords in a sliding window, counted per visitor's address and over all; lives in one server process.

    Attributes:
        most: wrong guesses of one address within the window; ten times as many over all addresses.
        seconds: length of the window.
    """

    most: int = 5
    seconds: float = 300.0
    _wrong: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address may guess again; 0 if it may now."""
        with self._lock:
            waits = [
                times[0] + self.seconds - now
                for name, most in ((address, self.most), ("", 10 * self.most))
                if len(times := self._recent(name, now)) >= most
            ]
        return max(waits, default=0.0)

    def count(self, address: str, now: float) -> None:
        """A wrong guess was made."""
        with self._lock:
            for known in list(self._wrong):
                if not self._recent(known, now):
                    del self._wrong[known]
            for name in (address, ""):
                self._wrong.setdefault(name, deque()).append(now)

    def _recent(self, name: str, now: float) -> deque[float]:
        times = self._wrong.get(name, deque())
        while times and times[0] <= now - self.seconds:
            times.popleft()
        return times


def _derive(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    memory = 2 * 128 * cost * block
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=memory, dklen=32)


def _sign(stored: str, expires: int) -> str:
    return _encode(hmac.digest(stored.encode(), f"researcher until {expires}".encode(), "sha256"))


def _parse(stored: str) -> tuple[int, int, int, bytes, bytes]:
    try:
        name, *numbers, salt, derived = stored.strip().split(":")
        cost, block, parallel = map(int, numbers)
        parsed = cost, block, parallel, _decode(salt), _decode(derived)
        if (
            name != _FORMAT
            or not (1 < cost <= 2**20 and 0 < block <= 32 and 0 < parallel <= 16)
            or len(parsed[4]) != 32
        ):
            raise ValueError
    except ValueError:
        raise LdlvaError("this is not a hash made by: python -m ldlva password") from None
    return parsed


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
