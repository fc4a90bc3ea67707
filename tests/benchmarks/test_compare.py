"""`benchmarks/compare.py` fails if a ratio got worse, or if results cannot be compared."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Content = dict[str, Any]


def result(ratios: dict[str, float], **more: object) -> Content:
    better = {name: "lower" if "growth" in name else "higher" for name in ratios}
    sides = {"ours": {"median": 1.0, "spread": [1.0, 1.0], "unit": "s"}}
    return {
        "benchmark": "step",
        "sides": sides,
        "ratios": ratios,
        "better": better,
        **more,
    }


def compare(
    benchmarks: Path, folder: Path, old: object, new: object
) -> subprocess.CompletedProcess[str]:
    paths = [folder / "old.json", folder / "new.json"]
    for path, content in zip(paths, (old, new), strict=True):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    command = [sys.executable, benchmarks / "compare.py", *paths]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ({"bf16": 1.5}, {"bf16": 1.5}, 0),
        ({"bf16": 1.5}, {"bf16": 1.9}, 0),
        ({"bf16": 1.5}, {"bf16": 1.45}, 0),
        ({"bf16": 1.5}, {"bf16": 1.4}, 1),
        ({"growth": 0.5}, {"growth": 0.3}, 0),
        ({"growth": 0.5}, {"growth": 0.52}, 0),
        ({"growth": 0.5}, {"growth": 0.53}, 1),
        ({"growth": 0.0}, {"growth": 0.1}, 1),
    ],
)
def test_a_ratio_may_get_worse_by_5_percent(
    old: dict[str, float], new: dict[str, float], code: int, benchmarks: Path, tmp_path: Path
) -> None:
    done = compare(benchmarks, tmp_path, result(old), result(new))

    assert done.returncode == code, done.stderr
    assert next(iter(old)) in done.stdout
    assert ("WORSE" in done.stdout) == (code == 1)


def test_the_ratios_that_got_worse_are_named(benchmarks: Path, tmp_path: Path) -> None:
    old, new = result({"bf16": 1.5, "fp32": 1.0}), result({"bf16": 1.0, "fp32": 1.0})

    done = compare(benchmarks, tmp_path, old, new)

    assert done.stderr == "more than 5% worse: bf16\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (result({"a": 1.0, "b": 1.0}), result({"a": 1.0}), "the new result lacks the ratios b"),
        (result({"a": 1.0}), result({"a": 1.0, "b": 1.0}), "the old result lacks the ratios b"),
        (result({}), result({}, benchmark="memory"), "is of step, not of memory"),
        (result({}), result({"a": 1.0}, better={}), "which direction is better for a"),
        (result({}), {"ratios": {}}, "it lacks benchmark, sides, better"),
        (result({}), "no JSON", "cannot be read"),
    ],
)
def test_results_that_cannot_be_compared_are_an_error(
    old: object, new: object, message: str, benchmarks: Path, tmp_path: Path
) -> None:
    done = compare(benchmarks, tmp_path, old, new)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_sides_decide_nothing_and_new_ones_are_named(benchmarks: Path, tmp_path: Path) -> None:
    slow = {"median": 9.0, "spread": [9.0, 9.0], "unit": "s"}
    new = result({"a": 1.0}, sides={"ours": slow, "other": slow})

    done = compare(benchmarks, tmp_path, result({"a": 1.0}), new)

    assert done.returncode == 0
    assert "+800.0%" in done.stdout
    assert "only in the new result" in done.stdout
