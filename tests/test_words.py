"""Names are the field's terms and prose is plain English: words that were replaced stay away."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "videomae_cli").rglob("*.py"))
TEXTS = sorted(
    [
        *(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "recipes").glob("*.yaml"),
        ROOT / "recipes/README.md",
        ROOT / "recipes/schema.json",
        *(ROOT / "videomae_cli").rglob("*.html"),
    ]
)
# names of classes, functions, arguments and variables that said nothing, or several things
NAMES = frozenset(
    [
        *("Card", "card", "cards", "StackSpec", "GridSpec", "Scene", "scenes", "Wish", "Told"),
        *("_Asker", "Take", "takes", "Look", "Checkup", "checkup", "Moments", "Course", "judge"),
        *("concluded", "census", "programs", "Forecast", "forecast", "first_steps", "trial"),
        *("made_up", "MadeUpClips", "mixing", "opened", "settle", "settled", "_begun", "adopt"),
        *("without_training", "lanes", "_Lane", "Meter", "crashed", "collected", "agree"),
        *("on_main", "forget_scaled", "Carry", "deliver", "traps", "misnamed", "held", "told"),
        *("said", "fate", "taken", "Taken", "mine", "handful", "Quiet", "lettering", "telling"),
    ]
)
# phrases in docstrings, comments, messages and documents, each with what to write instead
PHRASES = {
    r"passed over": "skipped",
    r"going back to": "resuming from",
    r"\bgo(es)? on (with|from|to|exactly)\b": "continue",
    r"\bcomes? to\b": "amounts to",
    r"\blook(s|ed)? at\b": "visualise, inspect, measure",
    r"\baccount of\b|\baccounted for\b": "load report",
    r"\bC colours\b": "C channels",
    r"\b(the|its|a) card\b": "model configuration",
    r"(?<!standard)(?<!standard\n)(?<!\s)\s+deviations?\b": "standard deviation",
    r"\bmade[ -]up\b": "synthetic",
    r"\bwish(es)?\b": "options",
    r"\bsays? so\b": "prints, reports",
    r"\btells? (whether|which|what)\b": "returns whether",
    r"\bholds (a|an|no|the|all|other|nothing|only)\b": "contains",
    r"\bof those (who|that|which)\b": "(a plain sentence)",
    r"\bnobody\b|\bstrangers?\b|\ba colleague\b": "(a plain sentence)",
    r"\beverything random\b": "random seed",
    r"\btake a few steps\b": "estimate from a few steps",
    r"\b(of|the|older|newest|its|whole) saves?\b|\bsaves (are|of|at|every|kept)\b": "checkpoint",
}


def prose_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield docstrings, messages and comments of a Python file, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
    for token in tokens_of(source):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def tokens_of(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def replaced_phrases(text: str) -> list[str]:
    """Return each replaced phrase in a text, with what to write instead."""
    return [
        f"'{found[0].strip()}': {instead}"
        for pattern, instead in PHRASES.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
    ]


def test_replaced_names_do_not_come_back() -> None:
    found = [
        f"{name_of(path)}:{token.start[0]} {token.string}"
        for path in FILES
        for token in tokens_of(text_of(path))
        if token.type == tokenize.NAME and token.string in NAMES
    ]

    assert found == []


def test_replaced_phrases_do_not_come_back() -> None:
    code = [(path, *piece) for path in FILES for piece in prose_of(text_of(path))]
    texts = [
        (path, number, line)
        for path in TEXTS
        for number, line in enumerate(text_of(path).splitlines(), 1)
    ]

    found = [
        f"{name_of(path)}:{line} {phrase}"
        for path, line, text in [*code, *texts]
        for phrase in replaced_phrases(text)
    ]

    assert found == []


def test_a_replaced_phrase_is_seen() -> None:
    assert replaced_phrases("two damaged files were passed over")
    assert not replaced_phrases("per-channel standard deviation of the pixels")
