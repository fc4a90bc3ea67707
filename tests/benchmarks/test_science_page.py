"""The tables of docs/science.md are those of the results; every claim has a row."""

from importlib import import_module
from pathlib import Path
from typing import Any

RESULT = {
    "effect": 5.25,
    "interval": [2.0, 8.5],
    "differences": {"0": 4.0, "1": 6.5},
    "verdict": "holds",
}


def example() -> dict[str, Any]:
    row = {
        "date": "2026-11-30T10:00:00+00:00",
        "steps": 2000,
        "forward_macs": 2 * 10**12,
        "loss": 0.01,
        "mean_loss": 0.02,
        "wall_seconds": 7300.0,
        "cpu_seconds": 3600.0,
    }
    pretrained = [
        {**row, "score": name, "seed": seed, "top1": 50.0 + seed}
        for name in ("random-50", "tube-90", "motion-75")
        for seed in (0, 1)
    ]
    tuned = [
        {**row, "score": f"{start}@{labels}", "seed": seed, "top1": 40.0 + seed, "labels": labels}
        for start in ("random-50", "scratch")
        for labels in (80, 320)
        for seed in (0, 1)
    ]
    return {
        "machine": {"processor": "Some CPU", "cores": 2},
        "versions": {"torch": "2.15.0"},
        "settings": {"seeds": [0, 1], "is_quick": False},
        "least_effect": 1.0,
        "claims": {"in-domain": RESULT},
        "rows": pretrained + tuned,
    }


def test_the_tables_of_the_page_are_up_to_date() -> None:
    program, page = import_module("write_science"), import_module("lab.page")
    text = program.PAGE.read_text(encoding="utf-8")

    assert page.updated(text, program.read_results()) == text
    assert set(page.BLOCK.findall(text)) == set(page.BLOCKS)


def test_every_claim_has_one_row_with_its_source_and_command() -> None:
    claims, page = import_module("lab.claims"), import_module("lab.page")

    lines = page.render("claims", None).splitlines()

    rows = [line for line in lines if "science.py --claims" in line]
    assert len(rows) == len(claims.CLAIMS)
    for claim, row in zip(claims.CLAIMS, rows, strict=True):
        assert row.count(" | ") == 4
        assert claim.source in row
        assert f"--claims {claim.name}`" in row
        assert "not measured yet" in row


def test_the_tables_show_effects_costs_and_means() -> None:
    page = import_module("lab.page")
    content = example()

    claims, arms = page.render("claims", content), page.render("arms", content)

    assert "| +5.2 [+2.0, +8.5], 2 seeds | **holds** |" in claims
    assert "| `random-50` | the recipe | 2,000 | 2,000 | 3600 | 0.50 | 50.5 |" in arms
    assert "FLOP of `random-75` | 2,000" in arms
    assert "| 80 | 40.5 | 40.5 |" in page.render("finetuning", content)
    assert "14.0 hours of CPU for the training of 14 models" in page.render("conditions", content)


def test_the_plots_are_drawn_and_small(tmp_path: Path) -> None:
    page = import_module("lab.page")

    import_module("lab.plots").draw_plots(example(), tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == set(page.PLOTS)
    assert all(2_000 < path.stat().st_size < 150_000 for path in tmp_path.iterdir())


def test_the_plots_of_the_page_exist_and_are_small() -> None:
    program, page = import_module("write_science"), import_module("lab.page")
    shown = [name for name in page.PLOTS if f"]({name})" in program.PAGE.read_text("utf-8")]

    assert (shown == list(page.PLOTS)) == (program.read_results() is not None)
    assert all((program.PAGE.parent / name).stat().st_size < 150_000 for name in shown)
