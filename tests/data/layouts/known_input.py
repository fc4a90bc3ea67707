"""Small inputs with a known answer: nine clips of three classes, and texts beside them."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.data.layouts.drawn_source import RANDOM, DrawnSource, Truth, find_differences

CLASSES = ("jump", "run", "wave")
PLACES = ("train", "val", "test")


class Clip(NamedTuple):
    """One of the nine clips."""

    name: str
    """Of its class."""
    place: int
    """In its class: 0, 1, 2."""

    @property
    def number(self) -> int:
        """Number of its class, from 0."""
        return CLASSES.index(self.name)

    @property
    def stem(self) -> str:
        """File name without its ending."""
        return f"{self.name}{self.place}"

    @property
    def path(self) -> str:
        """Path below the folder of the clips."""
        return f"{self.name}/{self.stem}.mp4"


CLIPS = tuple(Clip(name, place) for name in CLASSES for place in range(3))
OneOrMore = str | None | tuple[str | None, ...]


def lines(template: str, places: Sequence[int] = (0, 1, 2), start: int = 0) -> str:
    """Return one line for each clip with one of these places in its class.

    The template may use path, stem, name, number (from `start`), other (the next number), place,
    frames, split and position (in the list).
    """
    chosen = [clip for clip in CLIPS if clip.place in places]
    return "".join(
        template.format(
            path=clip.path,
            stem=clip.stem,
            name=clip.name,
            number=start + clip.number,
            other=start + (clip.number + 1) % 3,
            other_name=CLASSES[(clip.number + 1) % 3],
            place=clip.place,
            frames=3 + clip.place,
            split=PLACES[clip.place],
            position=position,
        )
        + "\n"
        for position, clip in enumerate(chosen)
    )


def by_name(clip: Clip) -> OneOrMore:
    """Return the class name of a clip as its label."""
    return clip.name


def by_number(clip: Clip) -> OneOrMore:
    """Return the number of a clip's class as its label."""
    return str(clip.number)


def no_label(_: Clip) -> OneOrMore:
    """Return the label of an unlabelled clip."""
    return None


def at_random(_: Clip) -> tuple[str, ...]:
    """Return the splits of a clip whose split is drawn."""
    return RANDOM


def in_train(_: Clip) -> tuple[str, ...]:
    """Return the split of a clip that is used for training."""
    return ("train",)


def by_place(clip: Clip) -> tuple[str, ...]:
    """Return train, val or test by the place of a clip in its class."""
    return (PLACES[clip.place],)


def truth_of(
    label: Callable[[Clip], OneOrMore] = by_name,
    split: Callable[[Clip], tuple[str, ...]] = at_random,
    places: Sequence[int] = (0, 1, 2),
    path: str = "{clip.path}",
) -> dict[str, Truth]:
    """Return what must become of the clips with these places."""
    truth = {}
    for clip in CLIPS:
        if clip.place in places:
            names = label(clip)
            names = names if isinstance(names, tuple) else (names,)
            truth[path.format(clip=clip)] = Truth(names, split(clip))
    return truth


class Input(NamedTuple):
    """An input, and the answers that are right."""

    texts: Mapping[str, str | bytes]
    """Files below the folder; without a folder in the name they lie in `lists/`."""
    truth: Mapping[str, Truth] | None
    """What must become of the clips; None: the input must be refused."""
    refusal: str = ""
    """Pattern of a refusal that is right; empty: the input must be read."""
    says: tuple[str, ...] = ()
    """Patterns of lines that must be there if the input is read."""
    source: str = ""
    """Empty: the first of the texts."""
    classes: tuple[str, ...] | None = None
    """The class names in their order."""
    options: Mapping[str, object] = {}
    others: tuple[str, ...] = ()
    """Clips that may not become rows."""


def check_input(known: Input, folder: Path) -> None:
    """Prepare an input; an AssertionError if the answer is none of the right ones."""
    texts = {
        name if "/" in name else f"lists/{name}": (
            (text, "utf-8") if isinstance(text, str) else (text.decode("latin-1"), "latin-1")
        )
        for name, text in known.texts.items()
    }
    options = dict(known.options)
    source = known.source or next(iter(texts))
    if source.startswith("lists"):
        options.setdefault("root", "clips")
    paths = [clip.path for clip in CLIPS] if known.truth is None else []
    drawn = DrawnSource(
        kind="known input",
        texts=texts,
        truth=dict(known.truth or {}),
        source=source,
        others=(*paths, *known.others),
        options=options,
        patterns=known.says,
        classes=known.classes,
    )
    outcome = drawn.prepare(folder)
    if outcome.refusal:
        assert known.refusal, f"refused: {outcome.refusal}"
        assert re.search(known.refusal, outcome.refusal, re.IGNORECASE | re.DOTALL), outcome.refusal
        return
    assert known.truth is not None, f"not refused, but {outcome.classes}: {outcome.rows}"
    assert find_differences(drawn, outcome) == [], "\n".join(outcome.lines)
