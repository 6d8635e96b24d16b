"""Writes tests/golden/csv_cases.jsonl: tables and the rows that the csv module
of Python 3.11 (strict, doubled quotes; empty lines left out) reads from them."""
import csv
import io
import json
import pathlib

CASES = {
    "plain": "id,title\n1,Red shirt\n2,Blue mug\n",
    "crlf": "id,title\r\n1,Red shirt\r\n2,Blue mug\r\n",
    "lone cr": "id,title\r1,Red shirt\r2,Blue mug\r",
    "no final line end": "id,title\n1,Red shirt",
    "quoted": '"id","title"\n"1","Red shirt"\n',
    "comma in quotes": 'id,title\n1,"Shirt, red"\n',
    "doubled quotes": 'id,title\n1,"5"" heel"\n2,""""\n3,""""""\n',
    "line feed in quotes": 'id,title\n1,"two\nlines"\n2,next\n',
    "crlf in quotes": 'id,title\r\n1,"two\r\nlines"\r\n2,next\r\n',
    "cr in quotes": 'id,title\n1,"two\rlines"\n2,next\n',
    "empty fields": "id,title,price\n1,,\n,,\n,x,\n",
    "empty quoted": 'id,title\n"",""\n',
    "only quoted empty": 'id\n""\nx\n',
    "blank lines": "id,title\n\n1,a\n\n\n2,b\n\n",
    "blanks kept": "id,title\n 1 , a b \n",
    "chinese": "id,title\n1,红色T恤\n2,\"蓝色，杯\"\n",
    "one column": "id\na\nb\n",
    "quoted at the end": 'id,title\n1,"last"',
    "empty last field": "id,title\n1,",
    "header alone": "id,title\n",
    "tab in csv": "id,title\n1,a\tb\n",
}


def main():
    golden = pathlib.Path(__file__).parent.parent / "golden" / "csv_cases.jsonl"
    with golden.open("w", encoding="utf-8", newline="\n") as out:
        for name, text in CASES.items():
            reader = csv.reader(io.StringIO(text, newline=""), strict=True)
            rows = [row for row in reader if row]
            json.dump({"name": name, "text": text, "rows": rows}, out,
                      ensure_ascii=False)
            out.write("\n")


if __name__ == "__main__":
    main()
