"""Write the lines of lists and the files of class names in the ways in which people do."""

import json
from collections.abc import Sequence
from typing import NamedTuple


class Style(NamedTuple):
    """How the lines of a list are written."""

    separator: str
    quote: str = ""
    """Around the path, or around cells that need it; empty: only where a reader needs it."""
    quotes_all: bool = False
    """Whether all cells have the quote."""
    newline: str = "\n"
    has_blank_lines: bool = False
    ends_with_newline: bool = True

    def write(self, rows: Sequence[Sequence[str]]) -> str:
        """Return the text of a list."""
        lines = [self.separator.join(self._cells(row)) for row in rows]
        between = self.newline * (2 if self.has_blank_lines else 1)
        return between.join(lines) + (self.newline if self.ends_with_newline else "")

    def _cells(self, row: Sequence[str]) -> list[str]:
        return [
            self._quoted(cell) if self._has_quotes(cell, place, len(row)) else cell
            for place, cell in enumerate(row)
        ]

    def _has_quotes(self, cell: str, place: int, columns: int) -> bool:
        if self.quote and (self.quotes_all or place == 0):
            return True
        if self.separator.strip():  # , ; ::
            return columns > 1 and self.separator.strip() in cell
        return self.separator == "\t" and '"' in cell

    def _quoted(self, cell: str) -> str:
        quote = '"' if "'" in cell else self.quote or '"'
        return quote + cell.replace(quote, quote * 2) + quote


def write_class_file(form: str, names: Sequence[str], start: int) -> tuple[str, str]:
    """Return name and text of a file with class names; numbers begin at `start`."""
    numbered = list(enumerate(names, start))
    by_number = {str(number): name for number, name in numbered}
    items = [
        f"item {{\n  id: {number}\n  name: {json.dumps(name, ensure_ascii=False)}\n}}\n"
        for number, name in numbered
    ]
    texts = {
        "names.txt": "".join(f"{name}\n" for name in names),
        "classInd.txt": "".join(f"{number} {name}\n" for number, name in numbered),
        "labels.csv": "id,name\n"
        + Style(",", '"', quotes_all=True).write(
            [(str(number), name) for number, name in numbered]
        ),
        "list.json": json.dumps(list(names)),
        "label2id.json": json.dumps({name: number for number, name in numbered}),
        "id2label.json": json.dumps(by_number, ensure_ascii=False),
        "config.json": json.dumps({"model_type": "videomae", "id2label": by_number}),
        "label_map.pbtxt": "".join(items),
    }
    return form, texts[form]


CLASS_FILES = (
    "names.txt",
    "classInd.txt",
    "labels.csv",
    "list.json",
    "label2id.json",
    "id2label.json",
    "config.json",
    "label_map.pbtxt",
)
