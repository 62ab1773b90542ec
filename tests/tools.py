"""Programs that tests use and that pip does not install: a browser, a spreadsheet.

`.ci/run` installs them and says so with REQUIRE_TOOLS=1: then a test whose program is missing fails. On a machine that lacks one,
and without that variable, such a test is skipped, and says why.
"""

import json
import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

PACKAGES = {"chromium": "chromium", "soffice": "libreoffice-calc"}
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test where its program is not installed, unless all are required."""
    is_there = shutil.which(program) is not None
    return pytest.mark.skipif(
        not is_there and os.environ.get("REQUIRE_TOOLS") != "1",
        reason=f"{program} is not installed (apt-get install {PACKAGES[program]})",
    )


class Parts(HTMLParser):
    """A page taken apart: its elements, their attributes, and all its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def browse(page: Path, folder: Path, *, width: int = 1200, height: int = 900) -> tuple[str, list[str], list[str]]:
    """Open a page in Chromium: give its DOM as text, what the console says, and the addresses that were asked for."""
    log = folder / "net.json"
    done = subprocess.run(
        [
            "chromium", *_QUIET, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}", f"--log-net-log={log}",
            "--enable-logging=stderr", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, console, _asked_for(log)


def picture_of(page: Path, folder: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> bytes:
    """Give a page as Chromium draws it, as PNG."""
    place = folder / "page.png"
    subprocess.run(
        [
            "chromium", *_QUIET, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}",
            f"--screenshot={place}", *(["--blink-settings=preferredColorScheme=0"] if dark else []), page.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return place.read_bytes()


def printed(page: Path, folder: Path) -> bytes:
    """Print a page to PDF."""
    place = folder / "page.pdf"
    subprocess.run(
        ["chromium", *_QUIET, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={place}", "--no-pdf-header-footer",
         page.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return place.read_bytes()


def _asked_for(log: Path) -> list[str]:
    """Read the addresses that pages asked for from a net log, which Chromium may have left without its end.

    What the browser asks for by itself, such as whether there is a newer one, has no page as its initiator.
    """
    text = log.read_text(encoding="utf-8", errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = json.loads(text.rstrip().rstrip(",") + "]}")
    asked = [event.get("params", {}) for event in found["events"]]
    own = {params["url"] for params in asked if "url" in params and params.get("initiator", "not an origin") != "not an origin"}
    return sorted(url for url in own if not url.startswith(("file:", "data:")))


# LibreOffice believes what a workbook says that its formulas gave, unless it is told to compute them whenever it opens one.
_ALWAYS_COMPUTE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>
"""


def convert(source: Path, form: str, folder: Path) -> Path:
    """Let LibreOffice open a file, compute it anew, and write it in another form into a folder that is not the file's own."""
    profile = folder / "office" / "user"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "registrymodifications.xcu").write_text(_ALWAYS_COMPUTE, encoding="utf-8")
    subprocess.run(
        [
            "soffice", f"-env:UserInstallation={profile.parent.as_uri()}", "--headless", "--convert-to", form, "--outdir", folder,
            source,
        ],
        capture_output=True, text=True, check=True, timeout=180,
    )  # fmt: skip
    return folder / f"{source.stem}.{form.partition(':')[0]}"
