"""Classes are matched by name or number, never by position; what cannot be matched is refused."""

import pytest

from videomae_cli.checkpoints.class_names import describe_difference, match_classes

AS_TEXT = tuple(sorted(map(str, range(12))))  # 0, 1, 10, 11, 2, ...
IN_ORDER = tuple(map(str, range(12)))
LETTERS = tuple("abcdefghijkl")


@pytest.mark.parametrize(
    ("classes", "known", "places"),
    [
        (("a", "b"), ("a", "b"), (0, 1)),
        (("b", "a"), ("a", "b"), (1, 0)),
        (("b",), ("a", "b"), (1,)),
        (AS_TEXT, IN_ORDER, tuple(map(int, AS_TEXT))),
        (IN_ORDER, AS_TEXT, tuple(AS_TEXT.index(name) for name in IN_ORDER)),
        (("0.0", "10.0"), AS_TEXT, (0, 2)),
        (("10", "9"), ("9.0", "10.0"), (1, 0)),
        (("5", "7"), ("7", "5"), (1, 0)),
        (("2", "cat"), ("cat", "2.0"), (1, 0)),
        (("air_drumming", "Zumba"), ("zumba", "air drumming"), (1, 0)),
        (("Pushing something",), ("Pushing [something]", "x"), (0,)),
        (LETTERS, IN_ORDER, tuple(range(12))),
        (LETTERS, AS_TEXT, tuple(AS_TEXT.index(name) for name in IN_ORDER)),
        (AS_TEXT, LETTERS, tuple(map(int, AS_TEXT))),
    ],
)
def test_classes_are_matched_whatever_their_order(
    classes: tuple[str, ...], known: tuple[str, ...], places: tuple[int, ...]
) -> None:
    match = match_classes(classes, known)

    assert match is not None and match.places == places
    assert (match.note == "") == (classes == known)
    is_numbered_on_one_side = (LETTERS in (classes, known)) and classes != known
    assert match.is_assumed == is_numbered_on_one_side


@pytest.mark.parametrize(
    ("classes", "known"),
    [
        (("left", "up"), ("left", "right")),
        (("left", "right", "up"), ("left", "right")),
        (("a", "b"), ("0", "1", "2")),
        (("a", "b"), ("1", "2")),
        (("1", "2"), ("0", "1")),
        (("007", "1"), ("7", "1")),
        (("1", "1.0"), ("1", "2")),
        (("a-b", "a_b"), ("a b", "c")),
        (("0", "cat"), ("0", "1")),
        (("0.5", "1"), ("0", "1")),
        ((), ("0", "1")),
    ],
)
def test_classes_that_cannot_be_matched_are_not_guessed(
    classes: tuple[str, ...], known: tuple[str, ...]
) -> None:
    assert match_classes(classes, known) is None


def test_one_line_says_how_classes_were_matched() -> None:
    assumed, other_order = (
        match_classes(LETTERS, AS_TEXT),
        match_classes(("b", "a"), ("a", "b", "c")),
    )

    assert assumed is not None and other_order is not None
    assert assumed.note == (
        "the checkpoint only numbers its 12 classes: assuming"
        " 0 = a, 1 = b, 2 = c, 3 = d, 4 = e, ... (12)"
    )
    assert other_order.note == (
        "classes matched by name; the data have 2 of the checkpoint's 3;"
        " the data list them in another order"
    )


def test_a_difference_shows_both_lists_and_what_is_new() -> None:
    assert describe_difference(("left", "up"), IN_ORDER) == (
        "data: left, up; checkpoint: 0, 1, 2, 3, 4, ... (12); only in the data: left, up"
    )
