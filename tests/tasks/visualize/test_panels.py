"""Panels of a picture: covers, heat maps, and the rows of one or several strategies."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.data.make_clips import write_clip
from tests.notes import AUTOENCODER, GRID, Notes, written
from videomae_cli.cli.app import app
from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import RecipeError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.motion import scores
from videomae_cli.tasks.load_model import load_autoencoder, read_checkpoint
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.masked_clip import build_content
from videomae_cli.tasks.visualize.panels import (
    DROPPED_COVER,
    MIN_FRAME_SIZE,
    TARGET_COVER,
    build_panels,
    cover_tokens,
    draw_heat_map,
    enlarge,
    find_legend_states,
)
from videomae_cli.tasks.visualize.setup import MAX_RECONSTRUCTIONS, Options
from videomae_cli.tasks.visualize.strategies import ALL_STRATEGIES
from videomae_cli.tasks.visualize.token_states import TokenState

SMALL = Options(frames=8, size=64, stride=2, strategy="all")
MOVING = AUTOENCODER.model_copy(
    update={"mask": MaskSpec(strategy="motion", ratio=0.75, pool=0.5), "oversample": 2.0}
)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.mp4", 20, height=80, width=96)


def _titles(result: visualize.Visualisation) -> list[str]:
    panels = build_panels(
        result.clip, result.setup, result.masked_clips, result.motion, error=False
    )
    return [panel.title for panel in panels]


def test_covers_are_on_hidden_tokens_only() -> None:
    grid = TokenGrid(4, 16, 16, tubelet=2, patch=8)
    frames_THWC = np.full((4, 32, 32, 3), 7, np.uint8)
    hidden_thw = np.zeros((2, 2, 2), np.bool_)
    hidden_thw[1, 0, 1] = True

    covered_THWC = cover_tokens(frames_THWC, hidden_thw, grid)

    changed_THW = (covered_THWC != 7).all(axis=-1)
    assert changed_THW[2:, :16, 16:].all() and changed_THW.sum() == 2 * 16 * 16
    assert tuple(covered_THWC[2, 3, 20]) == TARGET_COVER


def test_heat_maps_are_black_at_zero_brightest_at_the_maximum_and_covered_at_nan() -> None:
    grid = TokenGrid(2, 8, 24, tubelet=2, patch=8)
    error_thw = np.array([[[0.0, 0.5, np.nan]]], np.float32)

    heat_THWC = draw_heat_map(error_thw, np.zeros((2, 8, 24, 3), np.uint8), grid)

    assert heat_THWC[0, 0, 0].sum() < 10 < 500 < heat_THWC[1, 0, 8].sum()
    assert tuple(heat_THWC[1, 7, 23]) == TARGET_COVER


def test_small_clips_are_enlarged_by_an_integer_factor() -> None:
    frames_THWC = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), np.uint8)

    large_THWC = enlarge(frames_THWC)

    assert large_THWC.shape == (1, 192, 192, 3) and large_THWC.shape[1] >= MIN_FRAME_SIZE
    assert np.array_equal(large_THWC[:, ::6, ::6], frames_THWC)


def test_the_published_counts_are_reported_and_returned(video: Path, tmp_path: Path) -> None:
    notes = Notes()

    result = visualize.run(video, notes, out=tmp_path / "a.png", options=Options(strategy="all"))

    counts = {one["strategy"]: one for one in result.as_json()["strategies"]}
    assert list(counts) == list(ALL_STRATEGIES)
    assert [counts[name]["visible"] for name in ALL_STRATEGIES] == [160, 156, 196, 156, 160]
    assert counts["motion"]["targets"] == 314 and counts["motion"]["dropped"] == 1098
    cell = counts["tube+running-cell"]
    assert (cell["targets"], cell["counted"], cell["left_out"]) == (784, 704, 704)
    assert notes.has("156 visible, 314 targets, 1,098 dropped")
    assert notes.has("motion measured on pixels (no model)")


def test_rows_are_original_motion_and_one_for_each_strategy(video: Path, tmp_path: Path) -> None:
    result = visualize.run(video, Notes(), out=tmp_path / "a.png", options=SMALL)

    assert _titles(result) == [
        "original",
        "motion (pixels)",
        "tube, ratio 0.9",
        "random, ratio 0.9",
        "time, ratio 0.75",
        "motion, ratio 0.9",
        "tube + running-cell, ratio 0.9",
    ]
    assert find_legend_states(result.setup, result.masked_clips) == list(TokenState)
    with Image.open(result.files[0]) as image:
        drawn = np.asarray(image.convert("RGB"))
    for state in (TARGET_COVER, DROPPED_COVER):
        assert (drawn == state).all(axis=-1).any()


def test_one_plain_strategy_has_no_legend_and_motion_has_one(video: Path, tmp_path: Path) -> None:
    plain, moving = (
        visualize.run(
            video, Notes(), out=tmp_path / "a.png", options=SMALL._replace(strategy=name, ratio=0.8)
        )
        for name in ("tube", "motion")
    )

    assert _titles(plain) == ["original", "masked"] and not find_legend_states(
        plain.setup, plain.masked_clips
    )
    assert _titles(moving) == ["original", "motion (pixels)", "motion, ratio 0.8"]
    assert find_legend_states(moving.setup, moving.masked_clips) == [
        TokenState.VISIBLE,
        TokenState.TARGET,
        TokenState.DROPPED,
    ]


def test_the_motion_map_shows_the_scores_of_the_mask(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", AUTOENCODER)
    result = visualize.run(
        video, Notes(), checkpoint=model, out=tmp_path / "a.png", options=Options(strategy="motion")
    )

    loaded = read_checkpoint(model)
    content = build_content(result.clip, result.setup)
    embed = load_autoencoder(loaded).encoder.embed
    expected_BN = scores(content._replace(embed=embed), GRID, "online")
    assert result.motion is not None and result.motion.source == "online"
    assert np.allclose(result.motion.scores_thw.ravel(), expected_BN[0].numpy())
    pool = torch.cat(
        (result.masked_clips[0].mask.visible_BV, result.masked_clips[0].mask.target_BM), dim=1
    )[0]
    assert result.motion.scores_thw.ravel()[pool.numpy()].min() == result.motion.threshold


def test_few_strategies_are_reconstructed_and_many_are_not(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", AUTOENCODER)
    notes = Notes()

    few, many = (
        visualize.run(
            video, notes, checkpoint=model, out=tmp_path / "a.gif", options=Options(strategy=names)
        )
        for names in ("tube,random,motion", "tube,random,motion,tube+running-cell")
    )

    assert len(few.masked_clips) == MAX_RECONSTRUCTIONS
    assert _titles(few).count("reconstruction") == 3
    assert few.as_json()["strategies"][1]["psnr"] > 0
    assert "reconstruction" not in _titles(many)
    assert any("showing the masks only" in line for line in notes.warned)
    assert few.as_json()["strategies"][0]["mask"]["ratio"] == 0.75  # the checkpoint's own


def test_tokens_without_a_prediction_are_covered_on_the_reconstruction(
    video: Path, tmp_path: Path
) -> None:
    model = written(tmp_path / "final", AUTOENCODER)
    result = visualize.run(
        video, Notes(), checkpoint=model, out=tmp_path / "a.png", options=Options(strategy="motion")
    )

    panels = build_panels(result.clip, result.setup, result.masked_clips, result.motion, error=True)

    masked, filled, error = panels[2], panels[3], panels[4]
    assert (filled.title, error.title) == ("reconstruction", "error")
    dropped = (masked.frames_THWC == DROPPED_COVER).all(axis=-1)
    assert dropped.any() and (filled.frames_THWC[dropped] == DROPPED_COVER).all()
    visible = (masked.frames_THWC == enlarge(result.clip.frames_THWC)).all(axis=-1)
    assert visible.any()


def test_a_model_with_frame_selection_shows_the_selected_slices(
    video: Path, tmp_path: Path
) -> None:
    model = written(tmp_path / "final", MOVING)
    notes = Notes()

    result = visualize.run(video, notes, checkpoint=model, out=tmp_path / "a.png")

    assert result.setup.frame_choice is not None
    assert result.setup.frame_choice.candidates.frames == 8
    assert result.clip.frames_THWC.shape == (4, 32, 32, 3) and len(result.clip.indices) == 4
    assert result.clip.indices == sorted(result.clip.indices)
    assert [late - early for early, late in zip(*[iter(result.clip.indices)] * 2, strict=True)] == [
        2,
        2,
    ]
    assert result.masked_clips[0].reconstruction is not None
    assert notes.has("selected by motion from 8")


def test_an_impossible_mask_is_refused_before_anything_is_written(
    video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    with pytest.raises(UsageError, match="did you mean 'motion'"):
        visualize.run(video, Notes(), out=out, options=SMALL._replace(strategy="tube,motions"))
    with pytest.raises(UsageError, match=r"motion at ratio 0\.6"):
        visualize.run(video, Notes(), out=out, options=SMALL._replace(ratio=0.6))
    with pytest.raises(RecipeError, match=r"time: mask\.ratio: 0\.95 hides 4 of the 4 slices"):
        visualize.run(video, Notes(), out=out, options=SMALL._replace(ratio=0.95))
    with pytest.raises(
        RecipeError, match=r"running-cell does not support 3 x 3 tokens with 2 slices"
    ) as caught:
        visualize.run(
            video,
            Notes(),
            out=out,
            options=Options(frames=4, size=48, strategy="tube+running-cell"),
        )
    assert "even number of tokens" in caught.value.hint and not out.exists()


def test_the_command_takes_strategies_and_prints_their_counts(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    words = ["visualize-mask", str(video), "--out", str(out), "--strategy", "tube,motion", "--json"]

    done = CliRunner().invoke(app, [*words, "--frames", "4", "--size", "32"])

    assert done.exit_code == 0, done.output
    payload = json.loads(done.stdout)
    assert [one["strategy"] for one in payload["strategies"]] == ["tube", "motion"]
    assert payload["motion_source"] == "pixels" and "hidden" not in payload
    assert out.is_file()
