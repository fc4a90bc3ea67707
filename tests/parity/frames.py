"""Compare frame numbers with a golden file, row by row: python tests/parity/frames.py FILE.json

Every row must be equal. Exits with 1 if one differs, or if a rule in the file is unknown.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from videomae_cli.data.frame_sampling import (
    dense_test_indices,
    dense_train_indices,
    mmaction2_test_indices,
    pretrain_indices,
    segment_test_indices,
)

Row = dict[str, Any]
RULES: dict[str, Callable[[Row], Any]] = {
    "original_dense_test": lambda row: dense_test_indices(
        row["frames"], row["clip_len"], row["stride"], row["clips"]
    ),
    "original_dense_train": lambda row: dense_train_indices(
        row["frames"], row["clip_len"], row["stride"], row["end"]
    ),
    "original_segment_test": lambda row: segment_test_indices(
        row["frames"], row["segments"], row["clips"]
    ),
    "original_pretrain": lambda row: pretrain_indices(
        row["frames"], row["clip_len"], row["stride"], row["start"]
    ),
    "mmaction2_test": lambda row: mmaction2_test_indices(
        row["frames"], row["clip_len"], row["frame_interval"], row["num_clips"]
    ),
}


def compare(golden: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the rows that differ, by rule; all rows of an unknown rule differ."""
    return {
        rule: [row for row in rows if rule not in RULES or RULES[rule](row) != row["indices"]]
        for rule, rows in golden.items()
    }


def main(path: Path) -> int:
    golden = json.loads(path.read_text())
    wrong = compare(golden)
    for rule, rows in golden.items():
        print(f"{rule}: {len(rows) - len(wrong[rule])} of {len(rows)} rows exact")
        for row in wrong[rule][:3]:
            ours = RULES[rule](row) if rule in RULES else "no such rule here"
            print(f"  differs: {row}\n  ours: {ours}")
    return int(any(wrong.values()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
