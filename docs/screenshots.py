"""Looks at the report as people do and keeps docs/img true: `python docs/screenshots.py`, with Chromium installed.

Needs reports/report.html (`dvc repro`, `alexnet report`). Writes docs/img/report-desktop.png and report-phone.png,
and fails when the page is wider than a screen.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SCREENS = {"desktop": (1280, 1600), "phone": (390, 1600)}
_NARROWEST_WINDOW = 500  # Chromium opens no narrower one, so a phone is a frame in it
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--allow-file-access-from-files",
    "--force-color-profile=srgb", "--virtual-time-budget=4000",
)  # fmt: skip
# The page tells the frame around it how wide it is, which a browser would keep to itself for files.
_MEASURE = "<script>onload=()=>parent.postMessage(document.documentElement.scrollWidth,'*')</script></body>"
_FRAME = """<!doctype html><style>body{{margin:0}}iframe{{border:0;width:{width}px;height:{height}px}}</style>
<iframe src="page.html"></iframe><output>not measured</output>
<script>onmessage=event=>document.querySelector("output").textContent="width "+event.data</script>"""


def chromium() -> str | None:
    """Find Chromium or Chrome on this machine."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


def look(page: str, *, width: int, height: int, dark: bool = False) -> tuple[Image.Image, int]:
    """Draw a page on a screen.

    Args:
        page: HTML.
        width: Of the screen, pixels.
        height: Likewise; what lies below is not drawn.
        dark: Whether the reader prefers dark pages.

    Returns:
        The picture (RGB), and the width in pixels that the page takes: more than `width` means that it scrolls
        sideways.
    """
    browser = chromium()
    if browser is None:
        raise SystemExit("Chromium is not installed; it is needed to look at pages (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "page.html").write_text(page.replace("</body>", _MEASURE), encoding="utf-8")
        (folder / "frame.html").write_text(_FRAME.format(width=width, height=height), encoding="utf-8")
        window = f"--window-size={max(width, _NARROWEST_WINDOW)},{height}"
        theme = ["--blink-settings=preferredColorScheme=0"] if dark else []
        command = [browser, *_FLAGS, *theme, window, f"--user-data-dir={folder / 'profile'}"]
        frame = (folder / "frame.html").as_uri()
        subprocess.run(
            [*command, f"--screenshot={folder / 'shot.png'}", frame], check=True, capture_output=True, timeout=300
        )
        dom = subprocess.run([*command, "--dump-dom", frame], check=True, capture_output=True, text=True, timeout=300)
        measured = re.search(r"<output>width (\d+)</output>", dom.stdout)
        if measured is None:
            raise SystemExit("Chromium did not say how wide the page is; its answer began with " + dom.stdout[:200])
        with Image.open(io.BytesIO((folder / "shot.png").read_bytes())) as shot:
            return shot.convert("RGB").crop((0, 0, width, height)), int(measured[1])


def main() -> None:
    """Draw the report on each screen."""
    page = (ROOT / "reports/report.html").read_text(encoding="utf-8")
    (ROOT / "docs/img").mkdir(exist_ok=True)
    for name, (width, height) in SCREENS.items():
        picture, taken = look(page, width=width, height=height)
        if taken > width:
            raise SystemExit(f"reports/report.html takes {taken} pixels on a {name} of {width}: it scrolls sideways")
        target = ROOT / f"docs/img/report-{name}.png"
        picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
        print(f"{target.relative_to(ROOT)}: {width} x {height}, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
