"""report.html of a real run in a real browser: it is drawn, on a phone too, without a network."""

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from html import escape, unescape

import pytest

from parity import cases, coverage, ladder, report

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = 360
# The page is framed, not changed: its own policy, which forbids scripts, holds in the frame.
FRAME = """<!doctype html><iframe id="frame" style="width:%dpx;height:800px;border:0"
srcdoc="%s"></iframe><pre id="measured"></pre><script>
addEventListener("load", () => {
  const page = document.getElementById("frame").contentDocument;
  const box = (one) => {
    const b = one.getBoundingClientRect();
    return {id: one.id || one.textContent, left: b.left, right: b.right, height: b.height};
  };
  document.getElementById("measured").textContent = JSON.stringify({
    width: page.documentElement.scrollWidth,
    pictures: [...page.querySelectorAll("svg[role=img]")].map(box),
    labels: [...page.querySelectorAll("svg text")].map(box),
    tables: [...page.querySelectorAll(".scroll")].map(box),
    loaded: page.defaultView.performance.getEntriesByType("resource").map((one) => one.name),
  });
});
</script>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Run the browser with these flags on a file, with no host in its reach; returns its output."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed, CHROMIUM is not set")
    profile = tmp_path_factory.mktemp("profile")

    def run(page, *flags) -> str:
        return subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
             "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", *flags, page.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout

    return run


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The report of one fixture; asks for the browser first, to skip the run if there is none."""
    directory = tmp_path_factory.mktemp("climbed")
    climbed = list(ladder.climb(["hidden", "training"], [cases.case("std_0.2")]))
    report.write(directory, climbed, coverage.lines(coverage.recorded()), 1.0)
    return directory / "report.html"


@pytest.fixture(scope="module")
def measured(browser, page, tmp_path_factory) -> dict:
    frame = tmp_path_factory.mktemp("frame") / "frame.html"
    frame.write_text(FRAME % (PHONE, escape(page.read_text(encoding="utf-8"))), encoding="utf-8")
    dom = browser(frame, "--dump-dom")
    return json.loads(unescape(re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)[1]))


def test_every_picture_is_drawn_on_a_phone(measured):
    ids = {picture["id"] for picture in measured["pictures"]}
    assert ids == {"budget", "layers-0", "loss-0", "loss-0-apart", "gradient-norm-0",
                   "gradient-norm-0-apart"}
    assert all(p["right"] - p["left"] > 80 and p["height"] > 50 for p in measured["pictures"])


def test_nothing_sticks_out_of_a_phone(measured):
    assert measured["width"] <= PHONE
    outside = [box for name in ("pictures", "labels", "tables") for box in measured[name]
               if box["left"] < 0 or box["right"] > PHONE]
    assert outside == []
    assert len(measured["labels"]) > 50


def test_nothing_was_loaded(measured):
    assert measured["loaded"] == []


def test_the_page_is_not_blank(browser, page, tmp_path):
    image = tmp_path / "page.png"
    browser(page, f"--screenshot={image}", "--window-size=1000,1600")
    width, height, rows = pixel_rows(image.read_bytes())
    assert (width, height) == (1000, 1600)
    assert len(set(rows)) > height / 4  # a blank page's rows are all alike


def pixel_rows(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the rows of an image, filtered as the PNG stores them."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, []
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        chunks.append((kind, png[at + 8 : at + 8 + size]))
        at += 12 + size
    width, height = struct.unpack_from(">II", chunks[0][1])
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    stride = len(data) // height
    return width, height, [data[y * stride : (y + 1) * stride] for y in range(height)]
