"""Pictures and films hold what they claim, at the places where they claim it."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.data.make_clips import write_clip
from tests.notes import AUTOENCODER, CLASSIFIER, Notes, learned, written
from videomae_cli.checkpoints.loading import save
from videomae_cli.cli.app import app
from videomae_cli.config.model_config import autoencoder_config
from videomae_cli.config.recipe_files import dump, load_recipe
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.engine.saving import state as saves
from videomae_cli.engine.saving.store import Retention
from videomae_cli.errors import CheckpointError, DataError, RecipeError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.models.build import build_autoencoder
from videomae_cli.tasks.load_model import read_checkpoint
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.panels import (
    MIN_FRAME_SIZE,
    TARGET_COVER,
    cover_tokens,
    draw_heat_map,
    enlarge,
)
from videomae_cli.tasks.visualize.setup import Options

SMALL = Options(frames=4, size=32, patch=8, stride=2, ratio=0.75)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "waving hand.mp4", 20, height=48, width=64)


def _notice(path: Path) -> str:
    with Image.open(path) as image:
        return str(image.info["Description"])


def test_without_a_checkpoint_the_mask_is_shown_and_the_defaults_are_said(
    video: Path, tmp_path: Path
) -> None:
    notes = Notes()

    reconstruction = visualize.run(video, notes, out=tmp_path / "out")

    grid = reconstruction.setup.grid
    assert (grid.frames, grid.height, grid.patch, reconstruction.setup.stride) == (16, 224, 16, 4)
    assert reconstruction.as_json()["hidden"] == 1408 and reconstruction.as_json()["tokens"] == 1568
    assert [file.name for file in reconstruction.files] == [
        f"waving hand{suffix}" for suffix in (".png", ".gif", ".mp4")
    ]
    assert all(file.stat().st_size > 1000 for file in reconstruction.files)
    assert notes.has("No checkpoint given: showing the mask only.") and notes.has(
        "hides 1,408 of 1,568 tokens"
    )
    assert any("are repeats" in line for line in notes.warned)


def test_the_clip_is_the_middle_of_the_video(video: Path, tmp_path: Path) -> None:
    reconstruction = visualize.run(video, Notes(), out=tmp_path / "a.png", options=SMALL)

    indices = reconstruction.clip.indices
    assert np.diff(indices).tolist() == [2, 2, 2]
    assert abs((indices[0] + indices[-1]) / 2 - 9.5) <= 2
    assert reconstruction.clip.frames_THWC.shape == (4, 32, 32, 3)


def test_the_film_has_every_frame_and_even_sides(video: Path, tmp_path: Path) -> None:
    options = SMALL._replace(seed=3)

    gif, mp4 = (
        visualize.run(video, Notes(), out=tmp_path / f"a{suffix}", options=options).files[0]
        for suffix in (".gif", ".mp4")
    )

    with Image.open(gif) as image:
        assert getattr(image, "n_frames") == 4  # noqa: B009  (Pillow's types do not know it)
        assert image.info["duration"] == 80  # 25 frames per second, every second one
    with av.open(str(mp4)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) % 4 == 0 and len(frames) > 4
    assert frames[0].shape[0] % 2 == frames[0].shape[1] % 2 == 0
    assert np.abs(frames[0].astype(int) - frames[4]).mean() < 2


@pytest.mark.parametrize(
    ("normalize", "target_stats", "words"),
    [
        ("patch", False, "estimated from visible tokens"),
        ("patch", True, "ground-truth patch statistics"),
        ("none", False, "no patch statistics"),
    ],
)
def test_the_picture_itself_says_where_its_brightness_comes_from(
    video: Path, tmp_path: Path, normalize: str, target_stats: bool, words: str
) -> None:
    config = AUTOENCODER.model_copy(update={"normalize": normalize})
    model = written(tmp_path / "final", config)
    notes = Notes()

    reconstruction = visualize.run(
        video,
        notes,
        checkpoint=model,
        out=tmp_path / "a.png",
        options=Options(target_stats=target_stats, error=True),
    )

    assert words in _notice(tmp_path / "a.png") and notes.has(words)
    assert words in reconstruction.as_json()["notice"]
    assert reconstruction.as_json()["hidden"] == 24


def test_the_notice_is_drawn_and_not_only_stored(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", AUTOENCODER)
    pixels = []

    for flag in (False, True):
        out = tmp_path / f"{flag}.png"
        visualize.run(video, Notes(), checkpoint=model, out=out, options=Options(target_stats=flag))
        with Image.open(out) as image:
            pixels.append(np.asarray(image)[-50:-10].reshape(-1, 3).tolist())

    assert [176, 58, 0] in pixels[1] and [176, 58, 0] not in pixels[0]
    assert [0, 92, 75] in pixels[0]


def test_the_same_seed_gives_the_same_file_and_another_seed_another_mask(
    video: Path, tmp_path: Path
) -> None:
    files = [
        visualize.run(
            video, Notes(), out=tmp_path / f"{n}.png", options=SMALL._replace(seed=seed)
        ).files[0]
        for n, seed in enumerate((1, 1, 2))
    ]

    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()


def test_a_checkpoint_brings_its_own_clip_and_mask(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", AUTOENCODER)
    v1 = tmp_path / "model.pth"
    loaded = read_checkpoint(model)
    save(v1, loaded.weights, loaded.config, "v1")

    results = [
        visualize.run(video, Notes(), checkpoint=path, out=tmp_path / "a.png").as_json()
        for path in (model, v1)
    ]

    assert results[0]["stride_frames"] == 2 and results[0]["mask"]["ratio"] == 0.75
    assert {**results[0], "source": ""} == {**results[1], "source": ""}


def test_a_pretraining_run_under_way_shows_its_newest_save(video: Path, tmp_path: Path) -> None:
    changes = ["model.size=micro", "clip.frames=4"]
    recipe = load_recipe("demo", changes, "pretrain")
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(dump(recipe))
    model = build_autoencoder(autoencoder_config(recipe))
    optimizer = adamw(parameter_groups(model, weight_decay=0.0), betas=(0.9, 0.95), eps=1e-8)

    with pytest.raises(CheckpointError, match="written no checkpoint yet"):
        visualize.run(video, Notes(), checkpoint=run, out=tmp_path / "a.png")
    saves.write_checkpoint(
        run / "checkpoints",
        saves.TrainingState(step=1234),
        saves.collect_tensors(model, optimizer),
        keep=Retention(2),
    )
    notes = Notes()
    visualize.run(video, notes, checkpoint=run, out=tmp_path / "a.png")

    assert notes.has("step 1,234")


def test_a_classifier_is_refused_with_what_to_give_instead(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", CLASSIFIER)

    with pytest.raises(CheckpointError, match="is a classifier") as caught:
        visualize.run(video, Notes(), checkpoint=model)

    assert "pretrain" in caught.value.hint


def test_what_cannot_be_shown_is_refused_before_anything_is_written(
    video: Path, tmp_path: Path
) -> None:
    model = written(tmp_path / "final", AUTOENCODER)
    page = tmp_path / "page.mp4"
    page.write_text("<html>not found</html>")
    out = tmp_path / "out"

    with pytest.raises(DataError, match="nothing"):
        visualize.run(tmp_path / "nothing.mp4", Notes(), out=out)
    with pytest.raises(DataError, match="not a video"):
        visualize.run(page, Notes(), out=out)
    with pytest.raises(RecipeError, match="hides 0 of the 16"):
        visualize.run(video, Notes(), out=out, options=SMALL._replace(ratio=0.01))
    with pytest.raises(UsageError, match="--ratio 1"):
        visualize.run(video, Notes(), out=out, options=SMALL._replace(ratio=1.0))
    with pytest.raises(UsageError, match="--frames 8"):
        visualize.run(video, Notes(), checkpoint=model, out=out, options=Options(frames=8))
    with pytest.raises(UsageError, match=r"\.jpg"):
        visualize.run(video, Notes(), out=tmp_path / "a.jpg")
    assert not out.exists()


def test_target_stats_of_a_pixel_model_are_said_to_change_nothing(
    video: Path, tmp_path: Path
) -> None:
    model = written(tmp_path / "final", AUTOENCODER.model_copy(update={"normalize": "none"}))
    notes = Notes()

    visualize.run(
        video, notes, checkpoint=model, out=tmp_path / "a.png", options=Options(target_stats=True)
    )

    assert any("has no effect" in line for line in notes.warned)


def test_frames_that_only_repeat_a_predicted_one_are_said_to(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", learned(AUTOENCODER))
    notes = Notes()

    reconstruction = visualize.run(video, notes, checkpoint=model, out=tmp_path / "a.png")

    words = "The model predicts 1 of the 2 frames of a hidden token; the others repeat"
    assert words in _notice(tmp_path / "a.png") and notes.has(words)
    assert words in reconstruction.as_json()["notice"]


def test_covers_lie_on_hidden_tokens_and_nowhere_else() -> None:
    grid = TokenGrid(4, 16, 16, tubelet=2, patch=8)
    frames_THWC = np.full((4, 32, 32, 3), 7, np.uint8)
    hidden_thw = np.zeros((2, 2, 2), np.bool_)
    hidden_thw[1, 0, 1] = True

    covered_THWC = cover_tokens(frames_THWC, hidden_thw, grid)

    changed_THW = (covered_THWC != 7).all(axis=-1)
    assert changed_THW[2:, :16, 16:].all() and changed_THW.sum() == 2 * 16 * 16
    assert tuple(covered_THWC[2, 3, 20]) == TARGET_COVER


def test_heat_is_black_at_zero_brightest_at_the_worst_and_covered_where_unknown() -> None:
    grid = TokenGrid(2, 8, 24, tubelet=2, patch=8)
    error_thw = np.array([[[0.0, 0.5, np.nan]]], np.float32)

    heat_THWC = draw_heat_map(error_thw, np.zeros((2, 8, 24, 3), np.uint8), grid)

    assert heat_THWC[0, 0, 0].sum() < 10 < 500 < heat_THWC[1, 0, 8].sum()
    assert tuple(heat_THWC[1, 7, 23]) == TARGET_COVER


def test_small_clips_are_enlarged_by_whole_numbers() -> None:
    frames_THWC = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), np.uint8)

    large_THWC = enlarge(frames_THWC)

    assert large_THWC.shape == (1, 192, 192, 3) and large_THWC.shape[1] >= MIN_FRAME_SIZE
    assert np.array_equal(large_THWC[:, ::6, ::6], frames_THWC)


def test_the_command_prints_json_alone(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.png"

    done = CliRunner().invoke(
        app,
        [
            "visualize-mask",
            str(video),
            "--out",
            str(out),
            "--frames",
            "4",
            "--size",
            "32",
            "--json",
        ],
    )

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("{") and str(out) in done.stdout and out.is_file()
