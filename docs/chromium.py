"""Headless Chromium as somebody who looks at pages: on a screen of any width, spoken to in its DevTools protocol."""

import base64
import contextlib
import io
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)  # fmt: skip
# Without a mouse, as headless Chromium is, a page shows all the time what it would when pointed at.
_MOUSE = "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"
_PATIENCE_SECONDS = 120.0
_WIDEST_PHONE = 500  # pixels


def installed() -> str | None:
    """Find Chromium or Chrome on this machine."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


class Screen:
    """A page in headless Chromium, which is told what to do over a pipe, in its DevTools protocol.

    Args:
        commands: File descriptor that Chromium reads.
        answers: File descriptor that it writes.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers, self._received = commands, answers, b""
        self._number, self._session = 0, {}
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        self.ask("Page.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            RuntimeError: Chromium refused it, ended, or did not answer for two minutes.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": params} | self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._message(method))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"Chromium refused {method}: {answer['error']['message']}")
                return answer["result"]

    def _message(self, method: str) -> bytes:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], _PATIENCE_SECONDS)
            part = os.read(self._answers, 1 << 20) if ready else b""
            if not part:
                raise RuntimeError(f"Chromium {'ended' if ready else 'does not answer'} at {method}")
            self._received += part
        message, _, self._received = self._received.partition(b"\0")
        return message

    def show(self, address: str, wanted: str) -> str:
        """Open an address, wait for the text `wanted` and for the page to stop changing, and return all its text.

        Raises:
            RuntimeError: It is not there after two minutes.
        """
        self.ask("Page.navigate", url=address)
        return self.settle(wanted)

    def settle(self, wanted: str = "") -> str:
        """Wait as `show` does, after something else than an address has changed the page."""
        end, before = time.monotonic() + _PATIENCE_SECONDS, ""
        while time.monotonic() < end:
            text, content = self.tell("document.body ? [document.body.innerText, document.body.innerHTML] : ['', '']")
            if wanted in text and content == before:
                return text
            before = content
            time.sleep(1)
        raise RuntimeError(f"the page does not show {wanted!r}, or never stops changing; it begins with {text[:200]!r}")

    def tell(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self) -> Image.Image:
        """Return what is on the screen (RGB)."""
        shot = base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        with Image.open(io.BytesIO(shot)) as picture:
            return picture.convert("RGB")


@contextlib.contextmanager
def screen(*, width: int, height: int, dark: bool = False) -> Iterator[Screen]:
    """Start Chromium with a screen of so many pixels, for the while.

    Args:
        width: Up to 500 pixels it is a phone's.
        height: In pixels; what is below is not drawn.
        dark: Whether the reader prefers dark pages.

    Raises:
        SystemExit: There is no Chromium.
    """
    browser = installed()
    if browser is None:
        raise SystemExit("Chromium is not installed; it is needed to look at pages (Debian: apt-get install chromium)")
    theirs, commands = os.pipe()
    answers, back = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, open(os.devnull, "w") as silence:
        # Chromium reads its descriptor 3 and writes 4.
        wires = [(os.POSIX_SPAWN_DUP2, *pair) for pair in ((theirs, 3), (back, 4), (silence.fileno(), 2))]
        phone = width <= _WIDEST_PHONE
        command = [browser, *_FLAGS, *([] if phone else [_MOUSE]), f"--user-data-dir={profile}"]
        process = os.posix_spawn(browser, command, os.environ, file_actions=wires, setpgroup=0)
        os.close(theirs)
        os.close(back)
        try:
            page = Screen(commands, answers)
            page.ask(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
            )
            theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            page.ask("Emulation.setEmulatedMedia", features=[theme])
            yield page
        finally:
            os.close(commands)
            os.close(answers)
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)


def look(page: str, *, width: int, height: int, dark: bool = False) -> tuple[Image.Image, int]:
    """Draw a page of HTML on a screen; see `screen`.

    Returns:
        The picture (RGB), and the width in pixels that the page takes: more than `width` means that it scrolls
        sideways.
    """
    with tempfile.TemporaryDirectory() as place, screen(width=width, height=height, dark=dark) as seen:
        file = Path(place) / "page.html"
        file.write_text(page, encoding="utf-8")
        seen.show(file.as_uri(), "")
        return seen.picture(), seen.tell("document.documentElement.scrollWidth")
