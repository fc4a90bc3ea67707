"""Properties of every masker and refiner: invariants, counts, independence of the batch."""

from typing import get_args

import pytest
import torch

from videomae_cli.config.model import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import MASKERS, REFINERS, masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.mask import Mask, check, select

GRIDS = (
    TokenGrid(16, 224, 224),
    TokenGrid(16, 64, 64),
    TokenGrid(8, 48, 96),
    TokenGrid(4, 40, 56, tubelet=1, patch=8),
    TokenGrid(8, 112, 80, patch=16),
)
SPECS: dict[str, dict[str, object]] = {
    "tube": {"ratio": 0.75},
    "space": {"ratio": 0.75},
    "random": {"ratio": 0.75},
    "time": {"ratio": 0.75},
    "motion": {"ratio": 0.9, "pool": 0.3},
}
COUNTS = {  # visible and targets, for each of GRIDS
    "tube": ((392, 1176), (32, 96), (20, 52), (36, 104), (36, 104)),
    "space": ((392, 1176), (32, 96), (20, 52), (36, 104), (36, 104)),
    "random": ((392, 1176), (32, 96), (18, 54), (35, 105), (35, 105)),
    "time": ((392, 1176), (32, 96), (18, 54), (35, 105), (35, 105)),
    "motion": ((156, 314), (12, 26), (7, 14), (14, 28), (14, 28)),
}


def spec_of(strategy: str, targets: str = "all") -> MaskSpec:
    more = {"targets": targets, "targets_ratio": 0.5} if targets != "all" else {}
    return MaskSpec.model_validate({"strategy": strategy, **SPECS[strategy], **more})


def content_of(clips: int, grid: TokenGrid) -> Content:
    pixels = torch.randint(0, 256, (clips, grid.tokens, 5), dtype=torch.uint8)
    return Content(pixels, lambda tubelets: tubelets.float())


def test_the_schema_names_exactly_the_strategies_that_exist():
    assert set(get_args(MaskSpec.model_fields["strategy"].annotation)) == MASKERS.keys()
    assert set(get_args(MaskSpec.model_fields["targets"].annotation)) == REFINERS.keys()
    assert COUNTS.keys() == MASKERS.keys() == SPECS.keys()


def faults_of(mask: Mask, grid: TokenGrid) -> list[str]:
    """Return the invariant that a mask breaks, if it breaks one."""
    try:
        check(mask, grid)
    except AssertionError as error:
        return [f"breaks an invariant: {error}"]
    return []


def test_masks_keep_their_invariants_and_documented_counts():
    wrong: dict[tuple[str, TokenGrid], list[str]] = {}
    for strategy in MASKERS:
        for grid, expected in zip(GRIDS, COUNTS[strategy], strict=True):
            noise = torch.rand(3, 2, grid.tokens)
            mask = masker_for(spec_of(strategy), grid)(noise, content_of(3, grid))

            faults = faults_of(mask, grid)
            counts = (mask.visible_BV.shape[1], mask.target_BM.shape[1])
            if counts != expected:
                faults.append(f"{counts} instead of {expected} visible and targets")
            if not mask.counted_BM.all():
                faults.append("a target is not in the loss")
            if faults:
                wrong[strategy, grid] = faults

    assert wrong == {}


def test_a_running_cell_predicts_half_and_keeps_the_visible_tokens():
    wrong: dict[tuple[str, TokenGrid], list[str]] = {}
    for strategy in (name for name in MASKERS if name != "motion"):
        for grid in GRIDS:
            noise, content = torch.rand(3, 2, grid.tokens), content_of(3, grid)
            mask = masker_for(spec_of(strategy, "running-cell"), grid)(noise, content)

            faults = faults_of(mask, grid)
            if mask.target_BM.shape[1] != grid.tokens // 2:
                faults.append(f"{mask.target_BM.shape[1]} targets")
            plain = masker_for(spec_of(strategy), grid)(noise, content)
            if not torch.equal(mask.visible_BV, plain.visible_BV):
                faults.append("other visible tokens")
            if faults:
                wrong[strategy, grid] = faults

    assert wrong == {}


@pytest.mark.parametrize("strategy", MASKERS)
def test_the_mask_of_a_clip_does_not_depend_on_its_position_in_the_batch(strategy: str):
    grid = GRIDS[1]
    noise, content = torch.rand(4, 2, grid.tokens), content_of(4, grid)
    masker = masker_for(spec_of(strategy), grid)

    forward = masker(noise, content)
    backward = masker(noise.flip(0), content._replace(tubelets_BNP=content.tubelets_BNP.flip(0)))

    for one, other in zip(forward, backward, strict=True):
        assert torch.equal(one, other.flip(0))
    assert len(forward.visible_BV.unique(dim=0)) > 1


@pytest.mark.parametrize("strategy", MASKERS)
def test_every_token_is_visible_equally_often(strategy: str):
    grid = TokenGrid(8, 64, 64)
    torch.manual_seed(0)
    masker = masker_for(spec_of(strategy), grid)
    still = Content(torch.zeros(4000, grid.tokens, 1, dtype=torch.uint8), lambda x: x.float())

    visible = masker(torch.rand(4000, 2, grid.tokens), still).visible_BV

    expected = visible.numel() / grid.tokens
    counts = torch.bincount(visible.flatten(), minlength=grid.tokens)
    assert (counts - expected).abs().max() < 6 * expected**0.5


BROKEN = {
    "descending": ([[1, 0]], [[2, 3]], [[True, True]]),
    "twice": ([[0, 0]], [[2, 3]], [[True, True]]),
    "outside": ([[0, 1]], [[3, 4]], [[True, True]]),
    "negative": ([[-1, 1]], [[2, 3]], [[True, True]]),
    "both visible and counted": ([[0, 2]], [[2, 3]], [[True, True]]),
    "nothing visible": ([[]], [[2, 3]], [[True, True]]),
    "rows": ([[0, 1], [0, 1]], [[2, 3]], [[True, True]]),
}


def test_check_refuses_every_broken_mask():
    accepted = []
    for fault, (visible, target, counted) in BROKEN.items():
        mask = Mask(
            torch.tensor(visible, dtype=torch.int64), torch.tensor(target), torch.tensor(counted)
        )
        if not faults_of(mask, TokenGrid(2, 32, 32)):
            accepted.append(fault)

    assert accepted == []


def test_check_accepts_a_visible_target_that_does_not_count():
    mask = Mask(torch.tensor([[0, 2]]), torch.tensor([[2, 3]]), torch.tensor([[False, True]]))

    check(mask, TokenGrid(2, 32, 32))


def test_select_uses_the_indices_of_each_clip():
    tokens = torch.arange(12).reshape(2, 3, 2)

    selected = select(tokens, torch.tensor([[0, 2], [1, 2]]))

    assert selected.tolist() == [[[0, 1], [4, 5]], [[8, 9], [10, 11]]]
