"""Read XML of annotation tools, which may come from anywhere.

The parser is expat of the standard library. A document type declaration (DOCTYPE) is refused before
anything of it is used, so no entity is defined, expanded or fetched; the tools write none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from videomae_cli.errors import DataError


@dataclass(slots=True)
class Element:
    """An element with its attributes, its text and its line in the file."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the text directly inside the element, without blanks around it."""
        return "".join(self.texts).strip()

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def find_all(self, *tags: str) -> Iterator["Element"]:
        """Yield the elements below with one of these tags, in the order of the file."""
        stack = self.children[::-1]
        while stack:
            element = stack.pop()
            if element.tag in tags:
                yield element
            stack += element.children[::-1]


def read_xml(path: Path) -> Element:
    """Return the outermost element of a file; tags and attributes have no namespaces.

    Raises:
        DataError: The file is not well-formed XML, or has a DOCTYPE.
        OSError: The file cannot be read.
    """
    outer = Element("", {}, 0)
    stack = [outer]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag.rpartition(":")[2], attributes, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def refuse(*_: object) -> NoReturn:
        raise DataError(
            f"{path}:{parser.CurrentLineNumber}: a DOCTYPE, which can define entities, is not read",
            "remove the line; the tools that write such files add none",
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: stack[-1].texts.append(text)
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        message = expat.ErrorString(error.code)
        raise DataError(f"{path}:{error.lineno}: not XML: {message}", "export it again") from error
    return outer.children[0]
