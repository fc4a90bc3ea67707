"""Every mistake of a Python program has an error that names it and the next step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import videomae_cli as vm
from tests.api.models import write_autoencoder, write_classifier
from tests.notes import CLASSIFIER, written

VIDEO = np.zeros((12, 40, 48, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_classifier(folder / "classifier")
    write_autoencoder(folder / "autoencoder")
    return folder


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Any:  # wrong types are given on purpose
    return vm.load(folder / "classifier")


@pytest.fixture(scope="module")
def autoencoder(folder: Path) -> Any:
    return vm.load(folder / "autoencoder")


VIDEOS: dict[str, tuple[object, str]] = {
    "float": (VIDEO / 255.0, r"float64 values; uint8 .*\n.*\(video \* 255\)\.round\(\)"),
    "int64": (VIDEO.astype(int), r"int64 values; uint8 .*\n.*astype\('uint8'\)"),
    "channels first": (torch.from_numpy(VIDEO).permute(0, 3, 1, 2), r"\(T, C, H, W\).*permute"),
    "channels before time": (VIDEO.transpose(3, 0, 1, 2), r"\(C, T, H, W\).*transpose"),
    "one frame": (VIDEO[0], r"shape \(40, 48, 3\).*\n.*frame\[None\]"),
    "no frames": (VIDEO[:0], r"shape \(0, 40, 48, 3\)"),
    "a batch": (VIDEO[None], r"list with one array for each video"),
    "two channels": (VIDEO[..., :2], r"C = 3, are needed"),
    "empty list": ([], r"the list is empty"),
    "number": (3, r"a int is no video"),
    "generator": ((x for x in [VIDEO]), r"a generator is no video.*\n.*list\(videos\)"),
    "bytes": ([b"a.mp4"], r"a bytes is no video"),
    "nothing in a list": ([None], r"a NoneType is no video"),
    "missing file": ("missing.mp4", r"^missing.mp4: no such file"),
}


@pytest.mark.parametrize("name", VIDEOS)
def test_what_is_no_video_is_refused(name: str, classifier: Any) -> None:
    video, message = VIDEOS[name]

    with pytest.raises((vm.DataError, vm.UsageError), match=message):
        classifier.predict(video)


ARGUMENTS: dict[str, tuple[Callable[[Any], object], str]] = {
    "top_k": (lambda m: m.predict(VIDEO, top_k=0), r"top_k=0: must be 1 or more"),
    "clips": (lambda m: m.predict(VIDEO, clips=0), r"clips=0: must be 1 or more"),
    "crops": (lambda m: m.features(VIDEO, crops=1.5), r"crops=1.5: must be 1 or more"),
    "protocol": (lambda m: m.predict(VIDEO, protocol="v1-k4"), r"mean 'v1-k400'.*\n.*clips N"),
    "both": (
        lambda m: m.predict(VIDEO, protocol="v1-k400", clips=2),
        r"^protocol says .*\nleave out clips and crops, or protocol",
    ),
    "level": (lambda m: m.features(VIDEO, level="frame"), r"level='frame' is unknown"),
    "pooling": (lambda m: m.features(VIDEO, pooling="max"), r"pooling='max' is unknown"),
    "layer": (lambda m: m.features(VIDEO, layer=3), r"^layer 3: the encoder has 2 blocks"),
    "window": (lambda m: m.features(VIDEO, level="window"), r"^level window, window SECONDS"),
    "no rate": (lambda m: m.features(VIDEO, level="window", window=1), r"seconds\ngive fps="),
    "fps": (lambda m: m.predict(VIDEO, fps=-1), r"fps=-1: must be greater than 0"),
    "fps of a file": (lambda m: m.predict("a.mp4", fps=25), r"fps=25 is the frame rate of arrays"),
    "strategy": (lambda m: m.mask(VIDEO, "tub"), r"^strategy tub: .*did you mean 'tube'"),
    "strategies": (lambda m: m.mask(VIDEO, "all"), r"these are 5 strategies"),
    "ratio": (lambda m: m.mask(VIDEO, "tube", 1.5), r"^ratio 1.5: must be greater than 0"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_wrong_argument_is_named(name: str, classifier: Any) -> None:
    ask, message = ARGUMENTS[name]

    with pytest.raises(vm.UsageError, match=message):
        ask(classifier)


def test_a_model_of_another_kind_cannot_answer(
    folder: Path, classifier: Any, autoencoder: Any
) -> None:
    untrained = vm.load(written(folder / "untrained", CLASSIFIER))

    with pytest.raises(vm.CheckpointError, match=r"kind autoencoder has no classes"):
        autoencoder.predict(VIDEO)
    with pytest.raises(vm.CheckpointError, match=r"kind classifier has no decoder"):
        classifier.reconstruct(VIDEO)
    with pytest.raises(vm.CheckpointError, match=r"never trained.*\n.*allow_untrained_head=True"):
        untrained.predict(VIDEO)
    assert untrained.predict(VIDEO, allow_untrained_head=True).score_K.shape == (3,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu"}, r"device 'gpu' cannot be used"),
        ({"device": "cuda:77"}, r"device 'cuda:77' cannot be used.*\nleave it out"),
        ({"device": "cpu", "precision": "fp16"}, r"^fp16 needs a GPU.*\nuse bf16"),
        ({"precision": "fp8"}, r"precision 'fp8' is unknown"),
        ({"workers": -1}, r"workers=-1: must be 0 or more"),
    ],
)
def test_a_device_that_cannot_be_used_is_named(
    options: dict[str, Any], message: str, folder: Path
) -> None:
    with pytest.raises(vm.UsageError, match=message):
        vm.load(folder / "classifier", **options)


def test_weights_that_cannot_be_used_are_named(folder: Path) -> None:
    with pytest.raises(vm.CheckpointError, match=r"missing: no such file"):
        vm.load(folder / "missing")


def test_outputs_that_are_not_finite_are_refused(folder: Path) -> None:
    model = vm.load(folder / "classifier", precision="fp32")
    with torch.no_grad():
        model._session.network.get_parameter("head.bias").fill_(torch.nan)

    with pytest.raises(vm.CheckpointError, match=r"not finite for <array 0>.*\n.*fp32"):
        model.predict(VIDEO)
