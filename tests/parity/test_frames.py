"""The parity script finds no difference to the golden file, and finds planted ones."""

import json
from pathlib import Path

from tests.parity.frames import RULES, compare, main


def test_every_golden_row_is_exact(shared: Path) -> None:
    golden = json.loads((shared / "golden/frame_indices.json").read_text())

    wrong = compare(golden)

    assert set(golden) == set(RULES)
    assert {rule: len(rows) for rule, rows in wrong.items()} == dict.fromkeys(golden, 0)


def test_a_wrong_row_and_an_unknown_rule_are_found(tmp_path: Path) -> None:
    row = {"frames": 40, "clip_len": 4, "stride": 2, "start": 1, "indices": [1, 3, 5, 8]}
    path = tmp_path / "golden.json"
    path.write_text(json.dumps({"original_pretrain": [row], "new_rule": [row]}))

    code = main(path)

    assert code == 1
    assert compare(json.loads(path.read_text())) == {"original_pretrain": [row], "new_rule": [row]}
