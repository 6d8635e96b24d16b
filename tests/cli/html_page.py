"""Checks a report.html without a browser: every element is closed in its place,
nothing is fetched or run, ids are unique and links lead to them, photos are
JPEGs inside the page. Prints one line, or fails."""

import base64
import html.parser
import sys

VOID = {"meta", "link", "img"}
KNOWN = VOID | set(
    "html head title style body a header main section nav footer article h1 h2 "
    "h3 h4 p b i small span bdi ul ol li dl dt dd div details summary figure "
    "figcaption table thead tbody tr th td svg g path text circle".split())


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
        self.photos, self.galleries, self.alone = 0, set(), True

    def handle_startendtag(self, tag, attributes):
        self.look(tag, dict(attributes))

    def handle_starttag(self, tag, attributes):
        self.look(tag, dict(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        last = self.open.pop()
        assert last == tag, f"</{tag}> closes <{last}>, line {self.getpos()[0]}"

    def handle_data(self, data):
        if self.open and self.open[-1] == "summary":
            for title in ("Worst", "Nearest", "Drawn"):
                if data.startswith(title):
                    self.galleries.add(title)

    def look(self, tag, attributes):
        assert tag in KNOWN, f"<{tag}>"
        for key, value in attributes.items():
            assert not key.startswith("on"), key
            if key == "id":
                self.ids.append(value)
            elif key == "href":
                assert value == "data:," or value.startswith("#"), value
                self.links.append(value)
            elif key == "src":
                kind, data = value.split(",", 1)
                assert tag == "img" and kind == "data:image/jpeg;base64", value
                bytes_ = base64.b64decode(data, validate=True)
                assert bytes_[:2] == b"\xff\xd8" and bytes_[-2:] == b"\xff\xd9"
                assert attributes.get("alt"), "a photo without words"
                self.photos += 1
            elif tag == "svg" and key == "role":
                assert attributes.get("aria-label"), "a chart without words"


def main():
    data = open(sys.argv[1], "rb").read()
    text = data.decode("utf-8")
    assert len(data) < 3_000_000, len(data)
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == [], page.open
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"
    for link in page.links:
        assert link == "data:," or link[1:] in page.ids, link
    assert page.photos > 20, page.photos
    assert "default-src 'none'" in text
    print(f"well-formed, {len(page.galleries)} kinds of galleries, "
          "all photos inside")


main()
