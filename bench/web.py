"""The web process as a volunteer meets it: cold start, what it loads, and vote to next face in a real browser.

python bench/web.py [--votes 60]
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ldlva.survey.database import Database
from ldlva.survey.records import NewImage, NewStudy
from ldlva.survey.repository import Repository


def face(seed: int) -> NewImage:
    """A noise picture of the size of a real survey face (384 px JPEG, tens of kilobytes)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).resize((384, 384)).save(content, "JPEG", quality=90)
    return NewImage(f"face{seed}.jpg", content.getvalue(), "image/jpeg", 384, 384)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=60)
    votes = parser.parse_args().votes
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is not installed (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        url = f"sqlite:///{folder}/survey.db"
        database = Database(url)
        database.prepare()
        Repository(database).create_study(NewStudy("bench", "Bench"), [face(i) for i in range(votes + 5)])
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        started = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"LDLVA_DATABASE_URL": url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            measure(f"http://127.0.0.1:{port}", server.pid, chromium, started, votes)
        finally:
            server.terminate()
            server.wait()


def measure(address: str, pid: int, chromium: str, started: float, votes: int) -> None:
    while True:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).read()
            break
        except OSError:
            time.sleep(0.05)
    print(f"server up after            {time.perf_counter() - started:6.2f} s")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page()
        begun = time.perf_counter()
        page.goto(address)
        page.wait_for_selector("h1")
        print(f"first page, cold           {time.perf_counter() - begun:6.2f} s   (browser to heading; target 2 s)")

        painted, confirmed = vote_latencies(page, address, votes)
        for what, latencies in (("vote to next face painted ", painted), ("vote to confirmed by server", confirmed)):
            cuts = statistics.quantiles(latencies, n=20)
            print(f"{what} p50 {cuts[9]:.0f} ms, p95 {cuts[18]:.0f} ms, n = {votes}   (target p95 100 ms)")
        browser.close()
    mapped = Path(f"/proc/{pid}/maps").read_text()
    print(f"torch in the web process   {'yes' if 'torch' in mapped else 'no'}")
    memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    print(f"memory of the web process  {int(memory[1]) // 1024 if memory else 0} MB")


# Runs in the page: presses a key, waits until the component has painted another face, and says how long that took.
PRESS = """async (key) => {
  const root = document.querySelector(".ballot");
  const before = root.dataset.painted;
  const pressed = performance.now();
  window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  while (root.dataset.painted === before) await new Promise((next) => setTimeout(next, 1));
  return Number(root.dataset.painted) - pressed;
}"""


def vote_latencies(page, address: str, votes: int) -> tuple[list[float], list[float]]:  # type: ignore[no-untyped-def]
    """Milliseconds from a key to the next face painted, and from the vote being sent to the server's word on it."""
    sent: list[float] = []
    received: list[float] = []

    def on_receive(payload: bytes | str) -> None:
        message = ForwardMsg()
        message.ParseFromString(payload if isinstance(payload, bytes) else payload.encode())
        if message.delta.new_element.WhichOneof("type") == "bidi_component":
            received.append(time.perf_counter())

    def on_socket(socket) -> None:  # type: ignore[no-untyped-def]
        socket.on("framesent", lambda _: sent.append(time.perf_counter()))
        socket.on("framereceived", on_receive)

    page.on("websocket", on_socket)
    page.goto(f"{address}/vote?study=bench")
    page.get_by_role("button", name="I agree, start").click()
    page.wait_for_selector(".ballot[data-painted]")
    painted, confirmed = [], []
    for number in range(votes):
        page.wait_for_timeout(400)
        sent.clear()
        received.clear()
        painted.append(page.evaluate(PRESS, str(number % 8 + 1)))
        while not received:
            page.wait_for_timeout(20)
        confirmed.append(1000 * (received[-1] - sent[0]))
    return painted, confirmed


if __name__ == "__main__":
    main()
