"""Sources drawn from the grammar of what `prepare` reads: read right, or refused; never silent.

The manifest equals the truth, or the program refuses; few are refused, and what is not used is
named in a line.
"""

from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.data.layouts.drawn_source import find_differences
from tests.data.layouts.random_folders import draw_folder
from tests.data.layouts.random_lists import draw_list

REFUSED_SHARE = 0.2
FAMILIES = {
    "lists": (partial(draw_list, is_table=False), 22),
    "tables": (partial(draw_list, is_table=True), 20),
    "folders": (draw_folder, 18),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_random_source_is_read_right_or_refused(family: str, tmp_path: Path) -> None:
    draw, examples = FAMILIES[family]
    numbers, wrong, refused = count(), [], []

    @settings(
        derandomize=True,
        max_examples=examples,
        deadline=None,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(rng=st.randoms(use_true_random=True))  # seeded by hypothesis; no two examples alike
    def check(rng: Random) -> None:
        drawn = draw(rng)
        outcome = drawn.prepare(tmp_path / str(next(numbers)))
        if outcome.refusal:
            refused.append(f"{drawn}\n  REFUSED: {outcome.refusal}")
        elif differences := find_differences(drawn, outcome):
            wrong.append(
                "\n  ".join([str(drawn), *(f"WRONG: {text}" for text in differences)])
                + "\n  lines: "
                + "\n         ".join(outcome.lines)
            )

    check()

    assert not wrong, f"{len(wrong)} of {next(numbers)} are wrong:\n\n" + "\n\n".join(wrong)
    assert len(refused) < REFUSED_SHARE * examples, "\n\n".join(refused)
