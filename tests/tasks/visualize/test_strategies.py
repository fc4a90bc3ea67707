"""Strategies have names, keep the parameters of a checkpoint, and refuse impossible ratios."""

from typing import get_args

import pytest

from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import UsageError
from videomae_cli.tasks.visualize.strategies import (
    ALL_STRATEGIES,
    STRATEGIES,
    format_name,
    replace_ratio,
    select_masks,
)


def test_every_strategy_of_the_schema_has_a_name_and_parameters() -> None:
    words = set(get_args(MaskSpec.model_fields["strategy"].annotation))

    assert words <= STRATEGIES.keys()
    assert {format_name(spec) for spec in STRATEGIES.values()} == STRATEGIES.keys()
    assert {STRATEGIES[name].strategy for name in ALL_STRATEGIES} == words - {"space"}


def test_masks_are_unique_and_in_the_order_of_the_names() -> None:
    names = [format_name(spec) for spec in select_masks("time, tube,time", None)]

    assert names == ["time", "tube"]
    assert [format_name(spec) for spec in select_masks("motion,all", None)] == [
        "motion",
        *(name for name in ALL_STRATEGIES if name != "motion"),
    ]


def test_without_a_name_the_mask_is_that_of_the_checkpoint_or_a_tube() -> None:
    trained = MaskSpec(strategy="random", ratio=0.6, targets="running-cell", targets_ratio=0.25)

    assert select_masks(None, None) == (STRATEGIES["tube"],)
    assert select_masks(None, None, trained) == (trained,)
    assert select_masks("random+running-cell,random", None, trained) == (
        trained,
        STRATEGIES["random"],
    )


def test_a_ratio_applies_to_all_strategies() -> None:
    assert {spec.ratio for spec in select_masks("all", 0.8)} == {0.8}


def test_with_few_slices_one_stays_visible_unless_a_ratio_is_given() -> None:
    assert [select_masks("time", None, slices=slices)[0].ratio for slices in (16, 8, 4, 2)] == [
        0.875,
        0.875,
        0.75,
        0.5,
    ]
    assert select_masks("time", 0.9, slices=4)[0].ratio == 0.9


def test_motion_is_measured_by_the_model_if_there_is_one() -> None:
    trained = MaskSpec(strategy="motion", ratio=0.9, pool=0.5, source="pixels")

    assert select_masks("motion", None)[0].source == "pixels"
    assert select_masks("motion", None, STRATEGIES["tube"])[0].source == "online"
    assert select_masks("motion", None, trained) == (trained,)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("tub", "'tub' is not a strategy .did you mean 'tube'"),
        ("tube,running-cell", "'running-cell' is not a strategy"),
        ("motion:0.3", "did you mean 'motion'"),
        ("", "'' is not a strategy"),
    ],
)
def test_an_unknown_name_is_refused_with_the_list(names: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        select_masks(names, None)

    assert all(name in caught.value.hint for name in (*STRATEGIES, "all"))


def test_a_ratio_that_a_strategy_does_not_support_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"motion at ratio 0.5: pool 0.3 is not larger") as caught:
        select_masks("all", 0.5)
    with pytest.raises(UsageError, match="must be greater than 0 and less than 1"):
        replace_ratio(STRATEGIES["tube"], 1.0)

    assert "leave motion out" in caught.value.hint
