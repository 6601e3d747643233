"""What the browser tests share: a visitor whose every request is watched, and faces to vote on."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

PATIENCE = 30_000

VIEWPORTS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


class Visitor:
    """A fresh browser profile on the server. `leave` fails if anything but the server was ever asked for anything."""

    def __init__(self, browser: Browser, server: str, device: str = "desktop", locale: str = "en-GB") -> None:
        self.server = server
        self.context = browser.new_context(base_url=server, locale=locale, **VIEWPORTS[device])  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.page: Page = self.context.new_page()
        self.context.on("request", lambda request: self._look_at(request.url))
        self.page.on("websocket", lambda socket: self._look_at(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _look_at(self, url: str) -> None:
        if not url.startswith((self.server, self.server.replace("http", "ws", 1), "data:", "blob:", "about:")):
            self.outside.append(url)

    def leave(self) -> None:
        self.context.close()
        assert self.outside == []
        assert self.errors == []


def on_face(page: Page, number: int, total: int) -> None:
    """Wait until the component has painted this face, and look at it as long as a person would."""
    bar = page.locator(f".ballot .progress[aria-valuenow='{number - 1}'][aria-valuemax='{total}']")
    expect(bar).to_have_count(1, timeout=PATIENCE)
    page.wait_for_function("!document.querySelector('.ballot .picture').classList.contains('away')")
    page.wait_for_timeout(350)


def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
