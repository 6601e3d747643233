"""Garbage is collected by one thread, which ends before the interpreter does."""

from __future__ import annotations

import subprocess
import sys
import threading

import streamlit as st

from tests.pages.test_pages import open_page


def test_one_thread_collects_for_the_whole_process() -> None:
    for _ in range(3):
        open_page("app")
        st.cache_resource.clear()
    assert [thread.name for thread in threading.enumerate()].count("garbage-collector") == 1


def test_the_thread_is_gone_before_the_interpreter_is() -> None:
    script = """
import atexit, threading
def check(): print([thread.name for thread in threading.enumerate()])
atexit.register(check)  # the last to be called: the first to be registered
from ldlva.ui import garbage
garbage.tend()
check()
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.splitlines() == ["['MainThread', 'garbage-collector']", "['MainThread']"]
