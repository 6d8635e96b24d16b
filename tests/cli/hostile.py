"""Writes items.tsv and photos of products whose names are markup: 240 rows in
the current folder, all three splits."""

import pathlib
import struct
import zlib

TITLES = ["<script>alert({})</script> shirt", "]]> & shoe {}", "\" onload=\"x\" hat {}",
          "</title></style><img src=x> bag {}", "\u202ehat {} \U0001f45c", "<!-- {} belt"]
COLOURS = ["<b>red</b>", "blue & \"green\"", "'grey'"]


def png(red, green, blue, side=24):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    row = b"\0" + bytes([red, green, blue]) * side
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(row * side)) + chunk(b"IEND", b""))


pathlib.Path("photos").mkdir()
with open("items.tsv", "w", encoding="utf-8") as table:
    table.write("id\ttitle\ttype\tcolour\tsplit\n")
    for i in range(240):
        kind, colour = i % len(TITLES), i // 7 % len(COLOURS)
        split = ("train", "train", "val", "test")[i // 6 % 4]
        pathlib.Path(f"photos/{i}.png").write_bytes(
            png(40 * kind, 90 * colour, i % 200))
        table.write(f"{i}\t{TITLES[kind].format(i // 3)}\t{TITLES[kind]}\t"
                    f"{COLOURS[colour]}\t{split}\n")
