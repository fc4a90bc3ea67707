"""The scaling page is fresh, its arithmetic holds, and what it says in words follows from it."""

import importlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.tasks.dry_run import dry_run

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _script(name: str) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield importlib.import_module(name)


@pytest.fixture(scope="module")
def page() -> Iterator[ModuleType]:
    yield from _script("scaling")


@pytest.fixture(scope="module")
def tables() -> Iterator[ModuleType]:
    yield from _script("scaling_tables")


@pytest.fixture(scope="module")
def published() -> Iterator[ModuleType]:
    yield from _script("scaling_published")


@pytest.fixture(scope="module")
def machines() -> Iterator[ModuleType]:
    yield from _script("scaling_machine")


@pytest.fixture(scope="module")
def model() -> Iterator[ModuleType]:
    yield from _script("scaling_model")


@pytest.fixture
def job(model: ModuleType):
    recipe = load_recipe("k400-vitb", ["schedule.epochs=1", "schedule.warmup_epochs=0"], "pretrain")
    return model.Work(recipe, 20_480, 10**10, 10**10, 100_000_000, 16)


@pytest.fixture
def ideal(machines: ModuleType):
    """A machine that waits for nothing: 1 TFLOP/s for each GPU."""
    endless = math.inf
    return machines.Machine(1e12, endless, 1.0, 0.0, endless, endless, 0.0, 0.0, 1.0, 0.0, 0.0)


def test_the_tables_are_fresh(page: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert (page.main(["--check"]), capsys.readouterr().err) == (0, "")


def test_a_changed_number_is_stale(page: ModuleType, tmp_path: Path) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    changed = tmp_path / "scaling.md"
    changed.write_text(text.replace("93,600", "93,601"), encoding="utf-8")

    assert "93,600" in text
    assert page.main(["--check"], changed) == 1


def test_every_marker_of_the_page_has_its_table(page: ModuleType, tables: ModuleType) -> None:
    found = re.findall(r"<!-- (\w+): written", page.PAGE.read_text(encoding="utf-8"))

    assert sorted(found) == sorted(tables.TABLES)


def test_counts_are_those_of_the_papers(model: ModuleType) -> None:
    tube = model.work("k400-vitb")
    motion = model.work("k400-vitb", "mask.strategy=motion", "mask.pool=0.3")

    assert tube.published / 1e9 == pytest.approx(35.44, rel=0.01)
    assert motion.published / 1e9 == pytest.approx(19.8, rel=0.01)
    assert model.work("ssv2-vitb").macs == tube.macs
    assert (tube.videos, model.videos_of("hybrid-vitg")) == (240_436, 1_350_000)


def test_without_waiting_a_step_is_its_operations(model: ModuleType, job, ideal) -> None:
    one = model.step(job, ideal, 8)

    # 2,048 clips, 10 G multiply-accumulates of two operations, forward and backward as three
    assert one.seconds == pytest.approx(2048 * 2 * 10e9 * 3 / 8 / 1e12)
    assert (one.busy, one.binds) == (1.0, "compute")
    assert model.hours(job, ideal, 8) == pytest.approx(10 * one.seconds / 3600)


def test_a_step_is_as_many_forward_passes_as_a_dry_run_says(model: ModuleType) -> None:
    assert model.BACKWARD == dry_run.BACKWARD


def test_recomputing_is_one_more_forward_pass(model: ModuleType, job, ideal) -> None:
    train = job.recipe.train.model_copy(update={"recompute": True})
    again = job._replace(recipe=job.recipe.model_copy(update={"train": train}))

    ratio = model.step(again, ideal, 8).seconds / model.step(job, ideal, 8).seconds

    assert ratio == pytest.approx(4 / 3)


def test_with_endless_bandwidth_scaling_is_perfect(model: ModuleType, job, ideal) -> None:
    times = [model.hours(job, ideal, gpus) for gpus in (1, 8, 64, 512)]

    assert times == pytest.approx([times[0] / gpus for gpus in (1, 8, 64, 512)])


def test_without_decoding_a_run_never_ends(model: ModuleType, job, ideal) -> None:
    stuck = ideal._replace(reading=math.inf)

    assert model.hours(job, stuck, 8) == math.inf
    assert model.step(job, stuck, 8).binds == "decode"


@pytest.mark.parametrize("sharded", [False, True])
def test_without_a_network_only_one_node_trains(
    model: ModuleType, job, ideal, sharded: bool
) -> None:
    cut = ideal._replace(network=1e-300)

    assert model.step(job, cut, 8, sharded=sharded).waiting == 0
    one = model.step(job, cut, 16, sharded=sharded)
    assert one.waiting > 1e300
    assert one.binds == "network"


def test_a_ring_sends_all_gradients_twice_but_for_ones_own(model: ModuleType) -> None:
    assert model.all_reduce_bytes(1000, 1) == 0
    assert model.all_reduce_bytes(1000, 2) == 4000
    assert model.all_reduce_bytes(1000, 8) == 2 * 7 / 8 * 4000
    assert model.all_reduce_bytes(1000, 10**6) == pytest.approx(8000, rel=1e-5)


def test_sharding_gathers_twice_for_each_micro_batch_and_scatters_once(model: ModuleType) -> None:
    assert model.sharded_bytes(1000, 1, 1) == 0
    assert model.sharded_bytes(1000, 4, 1) == 3 * 3 / 4 * 4000
    assert model.sharded_bytes(1000, 4, 5) == 11 * 3 / 4 * 4000


def test_latency_grows_with_messages_and_with_the_logarithm(model: ModuleType, ideal) -> None:
    slow = ideal._replace(hop=1.0)

    assert model.exchange_seconds(1e9, 3, slow, 8) == 3 * 2 * 3
    assert model.exchange_seconds(1e9, 3, slow, 512) == 3 * 2 * 9


def test_repeats_open_a_video_once(model: ModuleType, job, ideal) -> None:
    reader = ideal._replace(opening=3.0, reading=1.0, cores=2.0)
    augment = job.recipe.augment.model_copy(update={"repeats": 4})
    four = job._replace(recipe=job.recipe.model_copy(update={"augment": augment}))

    assert model.step(job, reader, 512).reading == 4 * (3 + 1) / 2
    assert model.step(four, reader, 512).reading == 4 * (3 + 4) / 2


@pytest.mark.parametrize("gpus", [8, 64, 512])
@pytest.mark.parametrize("gpu", ["V100", "A6000", "A100", "H100"])
def test_each_better_number_makes_no_step_slower(
    model: ModuleType, machines: ModuleType, job, gpu: str, gpus: int
) -> None:
    slow, fast = machines.machine(gpu, "slow"), machines.machine(gpu, "fast")
    before = model.step(job, slow, gpus).seconds

    for name in machines.Machine._fields:
        better = slow._replace(**{name: getattr(fast, name)})
        assert model.step(job, better, gpus).seconds <= before, name
    assert model.step(job, fast, gpus).seconds < before


def test_guesses_are_in_order_and_shares_are_shares(machines: ModuleType) -> None:
    for name, guess in machines.ASSUMED.items():
        values = [guess.slow, guess.likely, guess.fast]
        assert values in (sorted(values), sorted(values, reverse=True)), name
        assert len(set(values)) == 3
        assert guess.unit != "%" or max(values) <= 1
    spent = [machines.MEASURED[guess].one for guess in machines.GUESSES]
    assert spent == sorted(spent, reverse=True)


def test_a_fit_meets_the_row_it_was_fitted_on(published: ModuleType) -> None:
    first = published.ROWS[0]

    assert published.supply_fit().hours(first) == pytest.approx(first.hours)
    assert published.compute_fit().hours(first) == pytest.approx(first.hours, rel=0.02)


def test_what_the_page_says_of_published_times(published: ModuleType) -> None:
    rows = published.ROWS
    within = [row for row in rows if min(row.predicted()) <= row.hours <= max(row.predicted())]
    ratios = sorted(row.predicted()[1] / row.hours for row in rows)
    close = [
        sum(2 / 3 <= fit.hours(row) / row.hours <= 1.5 for row in rows[1:])
        for fit in (published.supply_fit(), published.compute_fit())
    ]

    assert (len(within), len(rows)) == (11, 12)
    assert sum(ratio < 1 for ratio in ratios) == 11
    assert 1 / 4 < median(ratios) < 1 / 2
    assert close == [6, 6]
    assert all(0.01 < row.utilisation() < 0.19 for row in rows)


def test_what_the_page_says_of_gpus(
    tables: ModuleType, model: ModuleType, machines: ModuleType
) -> None:
    likely, counts = machines.machine("A100", "likely"), tables.COUNTS
    jobs = tables.models()
    steps = {(name, n): model.step(job, likely, n) for name, job in jobs.items() for n in counts}

    assert steps["ViT-B", 8].binds == steps["ViT-B", 64].binds == "decode"
    assert steps["ViT-B", 512].busy < 0.5
    assert model.hours(jobs["ViT-L"], likely, 64) < 2 * model.hours(jobs["ViT-L"], likely, 512)
    assert {steps["ViT-g", n].binds for n in counts} == {"compute"}
    assert steps["ViT-g", 512].busy > 0.9


def test_the_picture_is_small() -> None:
    assert (DOCS / "scaling.png").stat().st_size < 150_000


@pytest.mark.slow
def test_the_picture_is_what_the_script_draws(page: ModuleType, tmp_path: Path) -> None:
    page.draw(tmp_path / "scaling.png")

    pictures = []
    for path in (tmp_path / "scaling.png", DOCS / "scaling.png"):
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert("RGB")).astype(int))
    assert pictures[0].shape == pictures[1].shape
    # fonts may differ by a little; a stale line by much
    assert np.abs(pictures[0] - pictures[1]).mean() < 1
