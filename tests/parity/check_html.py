"""Opens report.html in a real, headless Chromium: products whose names are
markup, in light and in dark, on a desk and on a phone. Nothing may run, be
fetched, be said on the console or scroll sideways; text must stand out, photos
load, charts have words, and the keyboard reach everything in its order.

Peers: playwright 1.65.2 and Chromium, which $CHROMIUM names, else the path.

Usage, from the root: python tests/parity/check_html.py [PAGE.html]
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

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


def make_page(folder):
    """Trains and evaluates a little run on hostile names."""
    def run(*words):
        subprocess.run(words, cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
    program = str(BUILD / "diptych")
    run(sys.executable, str(ROOT / "tests/cli/hostile.py"))
    run(program, "import", "items.tsv", "--images", "photos", "--image",
        "{id}.png", "--id", "id", "--text", "title", "--label", "type,colour",
        "--split", "split", "--group", "title", "--out", "a.h5", "--quiet")
    run(program, "train", str(ROOT / "tests/cli/tiny.yaml"), "--run", "run",
        "--quiet")
    run(program, "eval", "run", "--quiet")
    return folder / "run/report.html"


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
    assert photos and all(w > 0 and alt > 0 for w, alt in photos), name
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
    name = f"{scheme}, {size[0]} pixels"
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
        reduced_motion="reduce")
    page = context.new_page()
    said, fetched = [], []
    page.on("console", lambda m: said.append(m.text))
    page.on("pageerror", lambda e: said.append(str(e)))
    page.on("dialog", lambda d: (said.append(d.message), d.dismiss()))
    page.on("request", lambda r: fetched.append(r.url))
    page.goto(path.as_uri())
    check_keyboard(page, name)
    check_look(page, name)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    outside = [url for url in fetched
               if not url.startswith("data:") and url != path.as_uri()]
    assert not said, f"{name}: {said}"
    assert not outside, f"{name}: fetched {outside}"
    print(f"{name}: {path.name} is quiet, sealed, readable and reachable")
    return ground


def main():
    executable = chromium()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tool:
        path = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 \
            else make_page(pathlib.Path(folder))
        browser = tool.chromium.launch(executable_path=executable,
                                       args=["--no-sandbox"])
        grounds = {scheme: [check(browser, path, size, scheme)
                            for size in (DESK, PHONE)]
                   for scheme in ("light", "dark")}
        browser.close()
    assert set(grounds["light"]).isdisjoint(grounds["dark"]), grounds


main()
