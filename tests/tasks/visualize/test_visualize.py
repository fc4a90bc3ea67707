"""`visualize-mask` from end to end: files, clip, mask, notices, refusals."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.data.make_clips import moving_square, write_clip
from tests.data.make_frames import write_frame_folder
from tests.notes import AUTOENCODER, CLASSIFIER, Notes, learned, written
from videomae_cli.checkpoints.loading import save_as_format
from videomae_cli.cli.app import app
from videomae_cli.config.model_config import autoencoder_config
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.engine.saving import state as saving
from videomae_cli.engine.saving.store import Retention
from videomae_cli.errors import CheckpointError, DataError, RecipeError, UsageError
from videomae_cli.models.build import build_autoencoder
from videomae_cli.tasks.load_model import read_checkpoint
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.setup import Options

SMALL = Options(frames=4, size=64, stride=2, ratio=0.75)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "waving hand.mp4", 20, height=48, width=64)


def _notice(path: Path) -> str:
    with Image.open(path) as image:
        return str(image.info["Description"])


def test_without_a_checkpoint_the_mask_is_shown_with_defaults(video: Path, tmp_path: Path) -> None:
    notes = Notes()

    result = visualize.run(video, notes, out=tmp_path / "out")

    grid = result.setup.grid
    assert (grid.frames, grid.height, grid.patch, result.setup.clip.stride_frames) == (
        16,
        224,
        16,
        4,
    )
    assert result.as_json()["hidden"] == 1408 and result.as_json()["tokens"] == 1568
    assert [file.name for file in result.files] == [
        f"waving hand{suffix}" for suffix in (".png", ".gif", ".mp4")
    ]
    assert all(file.stat().st_size > 1000 for file in result.files)
    assert notes.has("No checkpoint given: showing the mask only.") and notes.has(
        "hides 1,408 of 1,568 tokens"
    )
    assert any("are repeats" in line for line in notes.warned)


def test_a_folder_of_frames_is_a_video_without_a_frame_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = moving_square(20, 64, 64)
    folder = write_frame_folder(tmp_path / "v1.5", source, pattern="{}.png", first=0)
    notes = Notes()

    result = visualize.run(folder, notes, out=tmp_path / "out", options=SMALL)

    assert [file.name for file in result.files] == ["v1.5.png", "v1.5.gif", "v1.5.mp4"]
    assert (result.clip.frames_THWC == source[result.clip.indices]).all()
    assert notes.has("v1.5: frames 6 to 12 of 20, stride 2 (frame rate unknown)")
    monkeypatch.chdir(folder)
    result = visualize.run(Path(), Notes(), out=tmp_path / "out", options=SMALL)
    assert result.files[0] == tmp_path / "out/v1.5.png"
    with pytest.raises(DataError, match="no numbered images; it contains 2 folders"):
        visualize.run(tmp_path, Notes(), options=SMALL)


def test_the_clip_is_the_middle_of_the_video(video: Path, tmp_path: Path) -> None:
    result = visualize.run(video, Notes(), out=tmp_path / "a.png", options=SMALL)

    indices = result.clip.indices
    assert np.diff(indices).tolist() == [2, 2, 2]
    assert abs((indices[0] + indices[-1]) / 2 - 9.5) <= 2
    assert result.clip.frames_THWC.shape == (4, 64, 64, 3)


def test_the_movies_have_every_frame_and_an_even_size(video: Path, tmp_path: Path) -> None:
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
    ("normalize", "target_stats", "notice"),
    [
        ("patch", False, "estimated from visible tokens"),
        ("patch", True, "ground-truth patch statistics"),
        ("none", False, "no patch statistics"),
    ],
)
def test_the_picture_names_the_source_of_its_patch_statistics(
    video: Path, tmp_path: Path, normalize: str, target_stats: bool, notice: str
) -> None:
    config = AUTOENCODER.model_copy(update={"normalize": normalize})
    model = written(tmp_path / "final", config)
    notes = Notes()

    result = visualize.run(
        video,
        notes,
        checkpoint=model,
        out=tmp_path / "a.png",
        options=Options(target_stats=target_stats, error=True),
    )

    assert notice in _notice(tmp_path / "a.png") and notes.has(notice)
    assert notice in result.as_json()["notice"]
    assert result.as_json()["hidden"] == 24


def test_the_notice_is_drawn_into_the_picture(video: Path, tmp_path: Path) -> None:
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


def test_a_checkpoint_determines_clip_and_mask(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", AUTOENCODER)
    v1 = tmp_path / "model.pth"
    loaded = read_checkpoint(model)
    save_as_format(v1, loaded.weights, loaded.config, "v1")

    results = [
        visualize.run(video, Notes(), checkpoint=path, out=tmp_path / "a.png").as_json()
        for path in (model, v1)
    ]

    assert results[0]["stride_frames"] == 2 and results[0]["mask"]["ratio"] == 0.75
    assert {**results[0], "source": ""} == {**results[1], "source": ""}


def test_an_unfinished_pretraining_run_uses_its_newest_checkpoint(
    video: Path, tmp_path: Path
) -> None:
    changes = ["model.size=micro", "clip.frames=4"]
    recipe = load_recipe("demo", changes, "pretrain")
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(dump_recipe(recipe))
    model = build_autoencoder(autoencoder_config(recipe))
    optimizer = adamw(parameter_groups(model, weight_decay=0.0), betas=(0.9, 0.95), eps=1e-8)

    with pytest.raises(CheckpointError, match="written no checkpoint yet"):
        visualize.run(video, Notes(), checkpoint=run, out=tmp_path / "a.png")
    saving.write_checkpoint(
        run / "checkpoints",
        saving.TrainingState(step=1234),
        saving.collect_tensors(model, optimizer),
        keep=Retention(2),
    )
    notes = Notes()
    visualize.run(video, notes, checkpoint=run, out=tmp_path / "a.png")

    assert notes.has("step 1,234")


def test_a_classifier_is_refused_with_a_hint(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", CLASSIFIER)

    with pytest.raises(CheckpointError, match="is a classifier") as caught:
        visualize.run(video, Notes(), checkpoint=model)

    assert "pretrain" in caught.value.hint


def test_impossible_options_are_refused_before_anything_is_written(
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


def test_target_stats_have_no_effect_on_a_pixel_model_with_a_warning(
    video: Path, tmp_path: Path
) -> None:
    model = written(tmp_path / "final", AUTOENCODER.model_copy(update={"normalize": "none"}))
    notes = Notes()

    visualize.run(
        video, notes, checkpoint=model, out=tmp_path / "a.png", options=Options(target_stats=True)
    )

    assert any("has no effect" in line for line in notes.warned)


def test_repeated_frames_are_mentioned(video: Path, tmp_path: Path) -> None:
    model = written(tmp_path / "final", learned(AUTOENCODER))
    notes = Notes()

    result = visualize.run(video, notes, checkpoint=model, out=tmp_path / "a.png")

    text = "The model predicts 1 of the 2 frames of a hidden token; the others repeat"
    assert text in _notice(tmp_path / "a.png") and notes.has(text)
    assert text in result.as_json()["notice"]


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
