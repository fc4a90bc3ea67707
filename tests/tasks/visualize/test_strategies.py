"""Strategies go by name, keep a checkpoint's numbers, and refuse what they cannot show."""

from typing import get_args

import pytest

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import UsageError
from videomae_cli.tasks.visualize.strategies import EVERY, NAMED, at_ratio, chosen, name_of


def test_every_strategy_of_the_schema_has_a_name_and_its_own_numbers() -> None:
    words = set(get_args(MaskSpec.model_fields["strategy"].annotation))

    assert words <= NAMED.keys()
    assert {name_of(spec) for spec in NAMED.values()} == NAMED.keys()
    assert {NAMED[name].strategy for name in EVERY} == words - {"space"}


def test_names_come_once_and_in_their_order() -> None:
    names = [name_of(spec) for spec in chosen("time, tube,time", None)]

    assert names == ["time", "tube"]
    assert [name_of(spec) for spec in chosen("motion,all", None)] == [
        "motion",
        *(name for name in EVERY if name != "motion"),
    ]


def test_without_a_name_it_is_the_checkpoints_mask_or_a_tube() -> None:
    own = MaskSpec(strategy="random", ratio=0.6, targets="running-cell", targets_ratio=0.25)

    assert chosen(None, None) == (NAMED["tube"],)
    assert chosen(None, None, own) == (own,)
    assert chosen("random+running-cell,random", None, own) == (own, NAMED["random"])


def test_one_ratio_is_for_all() -> None:
    assert {spec.ratio for spec in chosen("all", 0.8)} == {0.8}


def test_of_few_slices_one_stays_visible_unless_a_ratio_is_asked_for() -> None:
    assert [chosen("time", None, slices=slices)[0].ratio for slices in (16, 8, 4, 2)] == [
        0.875,
        0.875,
        0.75,
        0.5,
    ]
    assert chosen("time", 0.9, slices=4)[0].ratio == 0.9


def test_motion_is_measured_by_a_model_where_there_is_one() -> None:
    own = MaskSpec(strategy="motion", ratio=0.9, pool=0.5, source="pixels")

    assert chosen("motion", None)[0].source == "pixels"
    assert chosen("motion", None, NAMED["tube"])[0].source == "online"
    assert chosen("motion", None, own) == (own,)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("tub", "'tub' is not a strategy .did you mean 'tube'"),
        ("tube,running-cell", "'running-cell' is not a strategy"),
        ("motion:0.3", "did you mean 'motion'"),
        ("", "'' is not a strategy"),
    ],
)
def test_an_unknown_name_is_refused_with_the_list(names: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        chosen(names, None)

    assert all(name in caught.value.hint for name in (*NAMED, "all"))


def test_a_ratio_that_a_strategy_cannot_have_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"motion at ratio 0.5: pool 0.3 is no more") as caught:
        chosen("all", 0.5)
    with pytest.raises(UsageError, match="masks nothing or all"):
        at_ratio(NAMED["tube"], 1.0)

    assert "leave motion out" in caught.value.hint
