"""The tables of benchmarks/RESULTS.md are those of the results that are kept."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

RESULT = {
    "benchmark": "step",
    "date": "2026-11-30T10:00:00+00:00",
    "machine": {
        "processor": "Some CPU",
        "cores": 2,
        "threads": 2,
        "memory_gb": 25.3,
        "instruction_sets": ["amx_bf16"],
    },
    "versions": {"torch": "2.15.0"},
    "load": {"other_cpu_during": 0.012},
    "settings": {"rounds": 7, "size": ["vits"]},
    "sides": {
        "vits videomae, bf16": {"median": 0.5, "spread": [0.49, 0.52], "unit": "s"},
        "vits videomae, fp32": {"median": 1.0, "spread": [1.0, 1.0], "unit": "s"},
    },
    "ratios": {"vits_bf16": 1.75},
    "better": {"vits_bf16": "higher"},
    "spread": {"vits_bf16": [1.7, 1.8]},
    "notes": ["A sentence."],
}


def tables() -> Any:
    return import_module("write_tables")


def test_the_tables_of_the_page_are_up_to_date() -> None:
    page = tables().PAGE.read_text(encoding="utf-8")

    assert tables().updated(page) == page
    assert len(tables().TABLE.findall(page)) >= 7


def test_every_result_that_is_kept_has_a_table() -> None:
    shown = tables().TABLE.findall(tables().PAGE.read_text(encoding="utf-8"))
    shown.append("science")  # its page is docs/science.md, see test_science_page.py

    assert {path.stem for path in tables().RESULTS.glob("*.json")} - set(shown) == set()


def test_a_table_shows_its_result_and_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    (tmp_path / "step.json").write_text(json.dumps(RESULT))
    page = "before\n<!-- table: step -->\nold\n<!-- end -->\nafter <!-- end -->\n"

    fresh = tables().updated(page, tmp_path)

    assert fresh.startswith("before\n<!-- table: step -->\n")
    assert fresh.endswith("<!-- end -->\nafter <!-- end -->\n")
    assert "old" not in fresh
    assert "| `vits_bf16` | 1.75 (1.7 to 1.8) | higher |" in fresh
    assert "| median (quartiles) | bf16 | fp32 |" in fresh
    assert "| vits videomae | 0.5 s (0.49 to 0.52) | 1 s |" in fresh
    assert "CPU used by other programs 1.2% of the machine" in fresh
    assert "A sentence." in fresh
    assert tables().updated(fresh, tmp_path) == fresh


def test_a_table_without_result_is_not_measured_yet(tmp_path: Path) -> None:
    page = "<!-- table: convert -->\n<!-- end -->"

    assert "not measured yet" in tables().updated(page, tmp_path)
