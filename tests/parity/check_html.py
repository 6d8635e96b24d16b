"""Opens pages in a real, headless Chromium: a report of products whose names are
markup, a comparison of three such runs, and a report of a gallery of 100,000
products, in light and in dark, on a desk and on a phone. Nothing may run, be
fetched, be said on the console or scroll sideways; text must stand out, photos
load, charts have words, and the keyboard reach everything in its order.

Peers: playwright 1.65.2 and Chromium, which $CHROMIUM names, else the path.

Usage, from the root: python tests/parity/check_html.py [PAGE.html...]
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("DIPTYCH_BUILD", "build")
DESK, PHONE = (1280, 900), (390, 844)

# Contrast by WCAG 2.2, 1.4.3, of every element that has text of its own, as
# [words, ratio] where it is too low.
CONTRAST = """() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below) => [0, 1, 2].map(
    i => (top[i] * top[3] + below[i] * (255 - top[3])) / 255);
  const ground = element => {
    const colours = [];
    for (let e = element; e; e = e.parentElement)
      colours.push(rgba(getComputedStyle(e).backgroundColor));
    return colours.reverse().reduce(
      (below, top) => [...over(top, below), 255], [255, 255, 255, 255]);
  };
  const luminance = colour => {
    const [r, g, b] = colour.slice(0, 3).map(v => {
      v /= 255;
      return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const faults = [];
  for (const e of document.querySelectorAll('body *')) {
    const words = [...e.childNodes].filter(n => n.nodeType === 3)
      .map(n => n.data.trim()).join('');
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (!words || box.width < 2 || e.closest('svg title, .skip')) continue;
    const svg = e instanceof SVGElement;
    const back = ground(e);
    const text = over(rgba(svg ? style.fill : style.color), back);
    const [a, b] = [luminance(text), luminance(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5))
      faults.push([words.slice(0, 40), ratio.toFixed(2), e.className.toString()]);
  }
  return faults;
}"""

# What the keyboard should reach, in the order of the document.
REACHABLE = """() => [...document.querySelectorAll(
  'a[href], summary, [tabindex="0"]')].filter(e => e.checkVisibility()).length"""

FOCUS = """() => {
  const e = document.activeElement;
  const late = !!window.last && !(window.last.compareDocumentPosition(e) & 4);
  window.last = e;
  const box = e.getBoundingClientRect();
  const style = getComputedStyle(e);
  return {tag: e.tagName, href: e.getAttribute('href'), late,
          seen: box.bottom > 0 && box.top < innerHeight && box.width > 0,
          ring: style.outlineStyle !== 'none'};
}"""


def chromium():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or \
        shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        sys.exit("no Chromium: install it (Debian: apt-get install chromium), "
                 "or name it by CHROMIUM")
    return path


# What a page has all sections by.
EVERYTHING = [
    "tasks.query_to_product.fields_removed=true",
    "tasks.query_to_product.fields_permuted=true",
    "eval.slices=[type,type.frequency,query_length,image]",
    "eval.sampled.text_to_image.candidates=9", "eval.knn.type.k=5",
    "eval.linear_probe.type.iterations=50"]
SECTIONS = {
    "report": "summary learning retrieval galleries slices classification "
              "zero-shot knn linear-probe matching facts".split(),
    "comparison": "sides differences means queries configs".split()}
ROWS, MOST_BYTES, MOST_SECONDS = 100_000, 20e6, 10


def diptych(folder, *words):
    done = subprocess.run([BUILD / "diptych", *words, "--quiet"], cwd=folder,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def train(folder, name, *changes):
    diptych(folder, "train", str(ROOT / "tests/cli/tiny.yaml"), "--run", name,
            *changes)


def make_pages(folder):
    """Little runs on hostile names: a report, and a comparison."""
    subprocess.run([sys.executable, ROOT / "tests/cli/hostile.py"], cwd=folder,
                   check=True)
    diptych(folder, "import", "items.tsv", "--images", "photos", "--image",
            "{id}.png", "--id", "id", "--text", "title", "--label",
            "type,colour", "--split", "split", "--group", "title", "--out",
            "a.h5")
    for name, change in (("report", "seed=0"), ("again", "seed=1"),
                         ("other", "model.embed_dim=8")):
        train(folder, name, change)
        diptych(folder, "eval", name, *EVERYTHING)
    subprocess.run([BUILD / "diptych", "compare", "report", "again", "other",
                    "--out", "comparison.html"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    return [folder / "report/report.html", folder / "comparison.html"]


def make_large_page(folder):
    """100,000 drawn products ranked for each distinct query of theirs, by a
    model that has seen others."""
    for name, rows in (("large", ROWS * 5 // 4), ("small", 2000)):
        diptych(folder, "synth", "--rows", str(rows), "--size", "24", "--out",
                f"{name}.h5")
    train(folder, "drawn", "data.catalog=small.h5")
    diptych(folder, "eval", "drawn", "--data", "large.h5", "--split", "train",
            "--out", "large.json",
            *(f"tasks.{task}.distinct_queries=true"
              for task in ("text_to_image", "query_to_product")))
    report = json.loads((folder / "large.json").read_text())
    rows = report["data"]["rows"]
    assert abs(rows - ROWS) < ROWS / 50, rows
    return folder / "large.html"


def check_look(page, name):
    """The page as it was loaded, and with all its parts opened."""
    for state in ("closed", "open"):
        if state == "open":
            page.evaluate("document.querySelectorAll('details')"
                          ".forEach(d => d.open = true)")
        wide, window = page.evaluate(
            "[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window, f"{name}: {wide} pixels wide, window {window}"
        faults = page.evaluate(CONTRAST)
        assert not faults, f"{name}: low contrast: {faults[:5]}"
    assert page.evaluate("document.scripts.length") == 0
    photos = page.evaluate("[...document.images].map(i => [i.naturalWidth, "
                           "i.alt.length])")
    assert (photos or "comparison" in name) and all(w > 0 and alt > 0 for w, alt in photos), name
    nameless = page.evaluate(
        "[...document.querySelectorAll('svg:not([aria-hidden])')]"
        ".filter(s => !s.getAttribute('aria-label')).length")
    assert nameless == 0, f"{name}: {nameless} charts without words"


def check_keyboard(page, name):
    count = page.evaluate(REACHABLE)
    links = []
    for i in range(count):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        assert not focus["late"], f"{name}: focus {i} goes back: {focus}"
        assert focus["seen"], f"{name}: focus {i} is out of sight: {focus}"
        assert focus["ring"], f"{name}: focus {i} is not shown: {focus}"
        if focus["tag"] == "A":
            links.append(focus["href"])
    assert links[0] == "#content", links
    sections = page.evaluate(
        "[...document.querySelectorAll('section')].map(s => '#' + s.id)")
    assert links[1:] == sections, f"{name}: {links} are not {sections}"
    summary = page.locator("summary").first
    summary.focus()
    before = page.evaluate("document.querySelector('details').open")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open") != before


def check(browser, path, size, scheme):
    name = f"{path.name}, {scheme}, {size[0]} pixels"
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
        reduced_motion="reduce")
    page = context.new_page()
    said, fetched = [], []
    page.on("console", lambda m: said.append(m.text))
    page.on("pageerror", lambda e: said.append(str(e)))
    page.on("dialog", lambda d: (said.append(d.message), d.dismiss()))
    page.on("request", lambda r: fetched.append(r.url))
    start = time.perf_counter()
    page.goto(path.as_uri())
    seconds = time.perf_counter() - start
    assert seconds < MOST_SECONDS, f"{name}: opens in {seconds:.1f} s"
    sections = page.evaluate(
        "[...document.querySelectorAll('section')].map(s => s.id)")
    assert sections == SECTIONS.get(path.stem, sections), f"{name}: {sections}"
    check_keyboard(page, name)
    check_look(page, name)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    outside = [url for url in fetched
               if not url.startswith("data:") and url != path.as_uri()]
    assert not said, f"{name}: {said}"
    assert not outside, f"{name}: fetched {outside}"
    print(f"{name}: quiet, sealed, readable and reachable; "
          f"{path.stat().st_size / 1e6:.1f} MB, opened in {seconds:.1f} s",
          flush=True)
    return ground


def main():
    executable = chromium()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tool:
        folder = pathlib.Path(folder)
        pages = [pathlib.Path(word).resolve() for word in sys.argv[1:]] or \
            [*make_pages(folder), make_large_page(folder)]
        browser = tool.chromium.launch(executable_path=executable,
                                       args=["--no-sandbox"])
        for path in pages:
            assert path.stat().st_size < MOST_BYTES, path
            grounds = {scheme: [check(browser, path, size, scheme)
                                for size in (DESK, PHONE)]
                       for scheme in ("light", "dark")}
            assert set(grounds["light"]).isdisjoint(grounds["dark"]), grounds
        browser.close()


main()
