"""Collecting garbage on a timer instead of after every rerun.

Streamlit's full collection after each rerun was most of a vote's latency (`runner.postScriptGC` is off in
`.streamlit/config.toml`); freezing what the imports created keeps the timed ones short.
"""

from __future__ import annotations

import atexit
import gc
import threading

INTERVAL_SECONDS = 30

_started = threading.Lock()


def tend() -> None:
    """Collect from now on; one thread does it for the whole process, however often this is called."""
    if not _started.acquire(blocking=False):
        return
    gc.collect()
    gc.freeze()
    ended = threading.Event()

    def collect() -> None:
        while not ended.wait(INTERVAL_SECONDS):
            gc.collect()

    thread = threading.Thread(target=collect, name="garbage-collector", daemon=True)
    thread.start()

    def end() -> None:
        # A thread that is inside a library's destructor when the interpreter goes takes the whole process down.
        ended.set()
        thread.join()

    atexit.register(end)
