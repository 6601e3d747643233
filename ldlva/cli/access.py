"""Who may use a server: the researchers' password."""

from __future__ import annotations

import sys

import typer

from ldlva.errors import LdlvaError
from ldlva.passwords import hash_password


def password() -> None:
    """Hash a password for the researchers' pages: typed twice, or one line on standard input. Prints the setting."""
    if sys.stdin.isatty():
        entered = typer.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
    else:
        entered = sys.stdin.readline().rstrip("\r\n")
    if not entered:
        raise LdlvaError("No password was given.")
    typer.echo(f"LDLVA_RESEARCHER_PASSWORD_HASH={hash_password(entered)}")
