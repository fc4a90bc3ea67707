"""A loaded model gives what the commands give, for files and arrays, and changes nothing else."""

import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import PartialState

import videomae_cli as vm
from tests.api.models import write_autoencoder, write_classifier, write_model, write_videos
from tests.notes import AUTOENCODER, CLASSIFIER
from videomae_cli.config.model import MaskSpec
from videomae_cli.data.decode import read_frames
from videomae_cli.report import Silence
from videomae_cli.tasks.features import features as features_task
from videomae_cli.tasks.features.options import FeatureOptions, Level
from videomae_cli.tasks.features.table import read_features
from videomae_cli.tasks.predict import predict as predict_task
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.setup import Options

Frames = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def classifier(folder: Path) -> vm.Model:
    return vm.load(write_classifier(folder / "classifier"))


@pytest.fixture(scope="module")
def autoencoder(folder: Path) -> vm.Model:
    return vm.load(write_autoencoder(folder / "autoencoder"))


@pytest.fixture(scope="module")
def videos(folder: Path) -> list[Path]:
    return write_videos(folder / "clips")


@pytest.fixture(scope="module")
def arrays(videos: list[Path]) -> list[Frames]:
    """Return all frames of each video."""
    lengths = (20, 25, 30)
    return [read_frames(path, range(n)) for path, n in zip(videos, lengths, strict=True)]


@pytest.fixture(scope="module")
def predictions(classifier: vm.Model, videos: list[Path]) -> list[vm.Prediction]:
    return classifier.predict(videos, top_k=2)


def test_predictions_are_those_of_the_command(
    folder: Path, videos: list[Path], predictions: list[vm.Prediction]
) -> None:
    names = [str(video) for video in videos]

    theirs = predict_task.run(names, folder / "classifier", Silence(), is_quiet=True)

    assert [one.path for one in predictions] == names
    for our, their in zip(predictions, theirs.predictions, strict=True):
        assert np.array_equal(our.score_K, their.score_K)
        assert our.top == theirs.labels(their)[:2]
    assert len({one.score_K.tobytes() for one in predictions}) == len(videos), "videos differ"


def test_arrays_tensors_and_files_give_the_same_in_any_mixture(
    classifier: vm.Model,
    videos: list[Path],
    arrays: list[Frames],
    predictions: list[vm.Prediction],
) -> None:
    mixed = classifier.predict([arrays[0], videos[1], torch.from_numpy(arrays[2])])

    assert [one.path for one in mixed] == ["<array 0>", str(videos[1]), "<array 2>"]
    for file, other in zip(predictions, mixed, strict=True):
        assert np.array_equal(file.score_K, other.score_K)


def test_one_video_gives_one_prediction_and_a_repeated_one_two(
    classifier: vm.Model, videos: list[Path], predictions: list[vm.Prediction]
) -> None:
    two = classifier.predict((videos[0], str(videos[0])))
    one = classifier.predict(read_frames(videos[0], range(20)))

    assert one.classes == classifier.classes
    assert np.array_equal(two[0].score_K, two[1].score_K)
    np.testing.assert_allclose(two[0].score_K, predictions[0].score_K, atol=1e-6)
    np.testing.assert_allclose(one.score_K, predictions[0].score_K, atol=1e-6)


LEVELS = ("window", *(pytest.param(one, marks=pytest.mark.slow) for one in ("clip", "token")))


@pytest.mark.parametrize("level", LEVELS)
def test_features_are_those_of_the_command(
    level: Level, folder: Path, autoencoder: vm.Model, videos: list[Path], arrays: list[Frames]
) -> None:
    windows: dict[str, Any] = {"window": 0.5, "hop": 0.25} if level == "window" else {}
    options = FeatureOptions(folder / f"features-{level}", level=level)._replace(**windows)
    checkpoint = str(folder / "autoencoder")
    features_task.run(checkpoint, Silence(), options, [str(video) for video in videos])
    stored = read_features(options.out)

    ours = autoencoder.features(videos, level=level, **windows)
    of_arrays = autoencoder.features(arrays, level=level, fps=25, **windows)

    assert np.array_equal(ours.values, stored.read())
    assert np.array_equal(ours.values, of_arrays.values)
    assert [row[1:] for row in ours.rows] == [row[1:] for row in of_arrays.rows]
    assert [(row.path, row.clip, row.frames, row.start) for row in ours.rows] == [
        (row.path, row.clip, row.frames, row.start_seconds) for row in stored.rows
    ]


def test_levels_are_means_of_each_other(autoencoder: vm.Model, arrays: list[Frames]) -> None:
    tokens = autoencoder.features(arrays, level="token", clips=2, crops=2)
    clips = autoencoder.features(arrays, level="clip", clips=2, crops=2)
    videos = autoencoder.features(arrays, clips=2, crops=2)

    assert tokens.values.shape == (12, 32, 24)
    assert [(row.video, row.clip, row.crop) for row in tokens.rows][:5] == [
        *((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0))
    ]
    of_clips = tokens.values.reshape(6, 2, 32, 24).mean(axis=(1, 2))
    np.testing.assert_allclose(clips.values, of_clips, atol=0.02)  # bf16 on some machines
    np.testing.assert_allclose(videos.values, clips.values.reshape(3, 2, 24).mean(1), atol=1e-6)
    assert [(row.video, row.clip) for row in videos.rows] == [(0, None), (1, None), (2, None)]


def test_a_video_alone_has_its_own_rows(classifier: vm.Model, arrays: list[Frames]) -> None:
    features = classifier.features(arrays[0], level="clip", pooling="per-slice", layer=1, clips=2)

    assert features.values.shape == (2, 2, 24)
    assert features.layer == 1
    assert [row.clip for row in features.rows] == [0, 1]
    assert features.rows[0].start is None, "the frame rate is unknown"
    assert features.rows[0].frames != features.rows[1].frames


def test_masks_and_reconstructions_are_those_of_the_command(
    folder: Path, autoencoder: vm.Model, videos: list[Path], arrays: list[Frames]
) -> None:
    options = Options(strategy="random", ratio=0.5, seed=3)
    checkpoint, out = folder / "autoencoder", folder / "picture.png"
    theirs = visualize.run(videos[0], Silence(), checkpoint=checkpoint, out=out, options=options)
    expected = theirs.masked_clips[0].reconstruction
    assert expected is not None

    ours = autoencoder.reconstruct(videos[0], "random", 0.5, seed=3)

    assert ours.mask.frames == tuple(theirs.clip.indices)
    assert np.array_equal(ours.mask.clip_THWC, theirs.clip.frames_THWC)
    visible_N = np.zeros(32, bool)
    visible_N[theirs.masked_clips[0].mask.visible_BV[0].numpy()] = True
    assert np.array_equal(ours.mask.visible_thw.ravel(), visible_N)
    assert np.array_equal(ours.clip_THWC, expected.clip_BCTHW[0].permute(1, 2, 3, 0).numpy())
    assert (ours.psnr, ours.loss) == (expected.psnr, expected.loss)
    for other in (videos[0], arrays[0], torch.from_numpy(arrays[0])):
        masked = autoencoder.mask(other, "random", 0.5, seed=3)
        assert np.array_equal(masked.visible_thw, ours.mask.visible_thw)
        assert np.array_equal(masked.masked_THWC, ours.mask.masked_THWC)


def test_a_mask_has_a_value_for_each_token_and_grey_where_it_hides(
    autoencoder: vm.Model, classifier: vm.Model, arrays: list[Frames]
) -> None:
    for model in (autoencoder, classifier):
        masked = model.mask(arrays[0], "tube+running-cell", 0.75)
        grey_THW = (masked.masked_THWC == 127).all(axis=-1)
        seen_THW = masked.visible_thw.repeat(2, 0).repeat(8, 1).repeat(8, 2)

        assert masked.visible_thw.shape == (2, 4, 4)
        assert masked.visible_thw.mean() == 0.25
        assert not (masked.counted_thw & ~masked.target_thw).any()
        assert not (masked.counted_thw & masked.visible_thw).any()
        assert grey_THW[~seen_THW].all()
        assert np.array_equal(masked.masked_THWC[seen_THW], masked.clip_THWC[seen_THW])
    assert not np.array_equal(
        model.mask(arrays[0], "random", 0.75, seed=1).visible_thw,
        model.mask(arrays[0], "random", 0.75, seed=2).visible_thw,
    )


def test_masks_change_nothing_of_a_model_that_selects_frames(
    folder: Path, arrays: list[Frames]
) -> None:
    mask = MaskSpec(strategy="motion", ratio=0.75, pool=0.5, source="online")
    config = AUTOENCODER.model_copy(update={"oversample": 2.0, "mask": mask})
    model = vm.load(write_model(folder / "oversample", config))
    before = model.features(arrays[2]).values

    masked = model.mask(arrays[2], "tube", 0.5)
    as_trained = model.reconstruct(arrays[2])

    assert masked.clip_THWC.shape == (4, 32, 32, 3)
    assert (as_trained.mask.strategy, as_trained.mask.ratio) == ("motion", 0.75)
    assert np.array_equal(model.features(arrays[2]).values, before)


def test_the_frame_rate_of_arrays_decides_clips_that_are_sampled_in_time(
    folder: Path, videos: list[Path], arrays: list[Frames]
) -> None:
    config = CLASSIFIER.model_copy(update={"stride_frames": None, "fps": 10.0, "short": "loop"})
    model = vm.load(write_model(folder / "timed", config))
    file = model.predict(videos[0])

    assert np.array_equal(model.predict(arrays[0], fps=25).score_K, file.score_K)
    assert not np.array_equal(model.predict(arrays[0], fps=50).score_K, file.score_K)
    for question in (model.predict, model.features, model.mask):
        with pytest.raises(vm.UsageError, match="give fps=, the frames per second"):
            question(arrays[0])


def test_the_other_tasks_have_their_own_scores_and_names(
    folder: Path, arrays: list[Frames]
) -> None:
    fields: dict[str, Any] = {"target_mean": (1.0, 2.0, 3.0), "target_std": (1.0, 10.0, 100.0)}
    single = CLASSIFIER
    multi = CLASSIFIER.model_copy(update={"task": "multi-label"})
    values = CLASSIFIER.model_copy(update={"task": "regression", **fields})
    # the same weights: what differs is the meaning of the outputs
    models = [
        vm.load(write_model(folder / config.task, config), precision="fp32")
        for config in (single, multi, values)
    ]

    probability, several, value = (
        model.predict(arrays[0], top_k=1, clips=1, crops=1) for model in models
    )

    logit_K = (value.score_K - np.array(fields["target_mean"])) / np.array(fields["target_std"])
    exp_K = np.exp(logit_K)
    np.testing.assert_allclose(probability.score_K, exp_K / exp_K.sum(), rtol=1e-4)
    np.testing.assert_allclose(several.score_K, exp_K / (1 + exp_K), rtol=1e-4)
    assert [one.task for one in (several, value)] == ["multi-label", "regression"]
    assert [label.name for label in value.top] == ["left", "right", "up"]
    expected = [k for k in np.argsort(-several.score_K) if several.score_K[k] > 0.5]
    assert [label.name for label in several.top] == [value.classes[k] for k in expected]
    assert len(several.top) != 1, "otherwise top_k alone would give the same"


def test_grey_arrays_are_seen_as_grey_videos(classifier: vm.Model, arrays: list[Frames]) -> None:
    grey = arrays[0][..., :1]

    shown = classifier.predict(grey).score_K

    assert np.array_equal(shown, classifier.predict(grey.repeat(3, axis=3)).score_K)


def test_videos_that_cannot_be_read_are_named_and_left_out_only_on_request(
    folder: Path, classifier: vm.Model, arrays: list[Frames], caplog: pytest.LogCaptureFixture
) -> None:
    broken, missing = folder / "broken.mp4", folder / "missing.mp4"
    broken.write_bytes(b"not a video at all" * 50)
    mixed: list[Any] = [arrays[0], missing, arrays[1]]

    with pytest.raises(vm.DataError, match=r"2 of 3 .*broken\.mp4: .*missing\.mp4: no such file"):
        classifier.predict([broken, *mixed[:2]])
    predictions = classifier.predict(mixed, skip_unreadable=True)
    features = classifier.features(mixed, skip_unreadable=True)

    assert [one.path for one in predictions] == ["<array 0>", "<array 2>"]
    assert [(row.video, row.path) for row in features.rows] == [(0, "<array 0>"), (2, "<array 2>")]
    assert caplog.text.count("missing.mp4: no such file") == 2
    with pytest.raises(vm.DataError, match=r"missing\.mp4: no such file"):
        classifier.predict([missing], skip_unreadable=True)


def test_nothing_outside_the_model_changes(
    folder: Path, videos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # as under torchrun, where a group would wait for others
    state = PartialState._shared_state.copy()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    random = torch.random.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    threads = torch.get_num_threads(), torch.is_grad_enabled()

    model = vm.load(folder / "autoencoder")
    model.features(videos[0])
    model.reconstruct(videos[0])

    assert PartialState._shared_state == state
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert torch.equal(torch.random.get_rng_state(), random[0])
    assert str(np.random.get_state()) == random[1]  # noqa: NPY002
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == threads


def test_threads_and_workers_give_the_same(
    folder: Path, classifier: vm.Model, arrays: list[Frames]
) -> None:
    expected = classifier.predict(arrays)
    answers: list[list[vm.Prediction]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(classifier.predict(arrays)))
        for _ in range(3)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.append(vm.load(folder / "classifier", workers=1).predict(arrays))

    assert len(answers) == 4
    for answer in answers:
        for ours, theirs in zip(answer, expected, strict=True):
            assert np.array_equal(ours.score_K, theirs.score_K)
