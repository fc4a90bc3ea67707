"""An exported model gives the outputs of the original, and describes the preprocessing."""

import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.notes import AUTOENCODER, CLASSIFIER, Notes, written
from videomae_cli.checkpoints.native import write_native
from videomae_cli.cli.app import app
from videomae_cli.cli.app import run as command
from videomae_cli.config.model import SelectSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import SIZES
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.models.build import Backbone
from videomae_cli.tasks.convert import export, export_formats
from videomae_cli.tasks.convert.export_formats import EXPORT_FORMATS
from videomae_cli.tasks.load_model import (
    load_autoencoder,
    load_classifier,
    load_weights,
    read_checkpoint,
)

SELECT = SelectSpec(strategy="motion", pool=0.5)
SELECTING = CLASSIFIER.model_copy(update={"select": SELECT})
OVERSAMPLING = SELECTING.model_copy(update={"oversample": 2.0})
ENCODER = CLASSIFIER.model_copy(update={"kind": "encoder", "classes": None, "norm_of": "tokens"})
FIRST = CLASSIFIER.model_copy(update={"pooling": "first"})
LEARNED = CLASSIFIER.encoder.model_copy(update={"positions": "separable", "class_token": True})
ATTENTIVE = CLASSIFIER.model_copy(
    update={"norm_of": "tokens", "pooling": "attentive", "pooler_heads": 4}
)
CONFIGS = {
    "classifier": CLASSIFIER,
    "first": FIRST,
    "attentive": ATTENTIVE,
    "mae-st": CLASSIFIER.model_copy(update={"encoder": LEARNED}),
    "selecting": SELECTING,
    "oversampling": OVERSAMPLING,
    "autoencoder": AUTOENCODER,
    "encoder": ENCODER,
    "pooled": ENCODER.model_copy(update={"norm_of": "mean"}),
}
DEFAULT = ("classifier", "mae-st", "oversampling", "autoencoder", "pooled")  # the others are slow
Exports = Callable[[str, str, bool], tuple[Path, Path, dict[str, Any]]]


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


def clips(batch: int, config: ModelConfig) -> Tensor:
    grid, frames = config.grid, round(config.grid.frames * config.oversample)
    return torch.randint(0, 256, (batch, 3, frames, grid.height, grid.width), dtype=torch.uint8)


def model(folder: Path, config: ModelConfig) -> Path:
    """Write a model with a head as large as a trained one; a fresh head gives logits near 0."""
    loaded = read_checkpoint(written(folder, config))
    if config.kind == "classifier":
        loaded.weights["head.weight"].mul_(1000)
    write_native(folder, loaded.weights, config)
    return folder


def exported(
    source: Path,
    to: str,
    out: Path,
    *,
    features: bool = False,
    batch: int | None = None,
    report: Notes | None = None,
    **options: Any,
) -> export.Export:
    for package in EXPORT_FORMATS[to].packages:
        reason = f"{package} is not installed: pip install 'videomae[onnx]'"
        pytest.importorskip(package, reason=reason)
    request = export.ExportRequest(to, features, batch)
    return export.run(source, out, report or Notes(), request=request, **options)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Return what gives a model, its exported file and its metadata; each is exported once."""

    @cache
    def export_once(name: str, to: str, features: bool) -> tuple[Path, Path, dict[str, Any]]:
        folder = tmp_path_factory.mktemp(name)
        source = model(folder / "model", CONFIGS[name])
        out = folder / f"a{EXPORT_FORMATS[to].suffix}"
        return source, out, exported(source, to, out, features=features).metadata

    return export_once


def expected(source: Path, clip_BCTHW: Tensor, *, features: bool) -> Tensor:
    loaded = read_checkpoint(source)
    with torch.no_grad():
        if loaded.config.kind == "encoder":
            alone = Backbone(loaded.config)
            load_weights(alone, loaded.weights)
            latents_BND: Tensor = alone.encoder(clip_BCTHW)
            is_pooled = loaded.config.norm_of == "mean"
            return alone.fc_norm(latents_BND.mean(dim=1)) if is_pooled else latents_BND
        if loaded.config.kind == "autoencoder":
            latents: Tensor = load_autoencoder(loaded).encoder(clip_BCTHW)
            return latents
        classifier = load_classifier(loaded).eval()
        logits: Tensor = (classifier.features if features else classifier)(clip_BCTHW)
        return logits


@pytest.mark.parametrize("to", [to if to == "onnx" else slow(to) for to in EXPORT_FORMATS])
@pytest.mark.parametrize(
    ("name", "features"),
    [
        *((name, False) for name in DEFAULT),
        *(slow(name, False) for name in CONFIGS if name not in DEFAULT),
        ("classifier", True),
        slow("selecting", True),
    ],
)
def test_an_exported_model_gives_the_outputs_of_the_original_for_any_batch(
    exports: Exports, to: str, name: str, features: bool
) -> None:
    source, out, metadata = exports(name, to, features)

    running = EXPORT_FORMATS[to].open(out)
    torch.manual_seed(1)
    for batch in (1, 5):
        clip_BCTHW = clips(batch, CONFIGS[name])
        found, wanted = running(clip_BCTHW), expected(source, clip_BCTHW, features=features)
        assert found.shape == wanted.shape
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        assert list(clip_BCTHW.shape[1:]) == metadata["input"]["shape"][1:]
    assert metadata["parity"]["largest_difference"] < 1e-5


@pytest.mark.parametrize("name", DEFAULT)
def test_the_graph_has_few_axes_and_constant_weights(exports: Exports, name: str) -> None:
    """ncnn takes no tensor of more axes; quantisers look for constants."""
    _, out, _ = exports(name, "onnx", False)
    graph = infer_graph(out)

    values = [*graph.input, *graph.output, *graph.value_info]
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in values}
    constants = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    of_weights = [node for node in products if node.input[1] in constants]
    config = CONFIGS[name]
    depth, heads = config.encoder.depth, int(config.kind == "classifier")
    embeddings = 2 if config.select is not None else 1  # once more, to measure motion
    embeddings += config.oversample != 1

    assert max(ranks.values()) <= 5, {name: rank for name, rank in ranks.items() if rank > 5}
    assert len(ranks) > len(graph.node) - 5  # inference found the shape of nearly every tensor
    assert len(of_weights) == 4 * depth + embeddings + heads
    assert len(products) - len(of_weights) == 2 * depth  # attention
    pixels, dim = config.grid.tubelet_pixels, config.encoder.dim
    assert [pixels, dim] in constants.values() and [dim, pixels] not in constants.values()


def infer_graph(path: Path) -> Any:
    onnx = pytest.importorskip("onnx")
    return onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True).graph


def test_a_quantiser_finds_every_weight(exports: Exports, tmp_path: Path) -> None:
    (_, out, _), small = exports("classifier", "onnx", False), tmp_path / "small.onnx"
    quantization = pytest.importorskip("onnxruntime.quantization")

    quantization.quantize_dynamic(out, small)

    onnx = pytest.importorskip("onnx")
    nodes = [node.op_type for node in onnx.load(small).graph.node]
    assert nodes.count("MatMulInteger") == 4 * CLASSIFIER.encoder.depth + 2  # patches and head
    assert nodes.count("MatMul") == 2 * CLASSIFIER.encoder.depth and "Gemm" not in nodes
    clip_BCTHW = clips(2, CLASSIFIER)
    found, wanted = (EXPORT_FORMATS["onnx"].open(file)(clip_BCTHW) for file in (small, out))
    torch.testing.assert_close(found, wanted, atol=0.05 * wanted.abs().max().item(), rtol=0)


@pytest.mark.parametrize(
    ("name", "batch"),
    [("classifier", 1), ("oversampling", 2), slow("classifier", 5), slow("autoencoder", 1)],
)
def test_a_fixed_batch_is_fixed_everywhere_in_the_file(
    tmp_path: Path, name: str, batch: int
) -> None:
    source, out, notes = model(tmp_path / "model", CONFIGS[name]), tmp_path / "a.onnx", Notes()

    metadata = exported(source, "onnx", out, batch=batch, report=notes).metadata

    graph = infer_graph(out)
    values = [*graph.input, *graph.output, *graph.value_info]
    shapes = {value.name: value.type.tensor_type.shape.dim for value in values}
    assert {
        n: str(s) for n, s in shapes.items() if not all(d.HasField("dim_value") for d in s)
    } == {}
    assert shapes["clip"][0].dim_value == batch == metadata["input"]["shape"][0]
    assert shapes[metadata["output"]["name"]][0].dim_value == batch
    assert notes.has(f"(batch {batch}, fixed)")

    running, clip_BCTHW = EXPORT_FORMATS["onnx"].open(out), clips(batch, CONFIGS[name])
    wanted = expected(source, clip_BCTHW, features=False)
    torch.testing.assert_close(running(clip_BCTHW), wanted, atol=1e-5, rtol=1e-5)
    with pytest.raises(Exception, match="invalid dimensions"):
        running(clips(batch + 1, CONFIGS[name]))


def test_a_file_contains_no_path_of_the_machine_that_wrote_it(exports: Exports) -> None:
    graph, program = (exports("classifier", to, False)[1] for to in ("onnx", "torch-export"))

    with zipfile.ZipFile(program) as archive:
        content = [archive.read(entry) for entry in archive.namelist()]
    content.append(graph.read_bytes())

    places = [bytes(Path(export.__file__).parents[2]), bytes(graph.parent), bytes(program.parent)]
    assert [part for part in content if any(place in part for place in places)] == []


def test_the_batch_of_a_pt2_is_fixed_too(tmp_path: Path) -> None:
    source = model(tmp_path / "model", CLASSIFIER)
    exported(source, "torch-export", tmp_path / "a.pt2", batch=2)

    running = EXPORT_FORMATS["torch-export"].open(tmp_path / "a.pt2")
    clip_BCTHW = clips(2, CLASSIFIER)

    torch.testing.assert_close(running(clip_BCTHW), expected(source, clip_BCTHW, features=False))
    with pytest.raises(Exception, match=r"Guard failed|shape"):
        running(clips(3, CLASSIFIER))


def test_the_command_fixes_the_batch_of_exports_only(tmp_path: Path) -> None:
    source = str(model(tmp_path / "model", CLASSIFIER))

    assert command(["convert", source, str(tmp_path / "a.pt2"), "--batch", "1"]) == 0
    assert json.loads((tmp_path / "a.pt2.json").read_text())["input"]["shape"][0] == 1
    for words in (["native"], ["b.pth"], ["hf", "--to", "hf"], ["v2", "--to", "v2"]):
        line = ["convert", source, str(tmp_path / words[0]), *words[1:], "--batch", "2"]
        with pytest.raises(UsageError, match="--batch works only with onnx and torch-export"):
            app(line, standalone_mode=False)
    with pytest.raises(UsageError, match="--batch works only with"):
        app(["convert", source, "--inspect", "--batch", "2"], standalone_mode=False)
    for number in ("0", "-1", "many"):
        assert command(["convert", source, str(tmp_path / "c.pt2"), "--batch", number]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt2", "a.pt2.json", "model"]


@pytest.mark.parametrize(
    ("config", "frames"),
    [
        (
            CLASSIFIER.model_copy(update={"stride_frames": 3, "license": "CC0-1.0"}),
            "4 frames, 3 apart",
        ),
        (
            CLASSIFIER.model_copy(update={"sampling": "segment"}),
            "4 frames, one from each equal part",
        ),
        slow(OVERSAMPLING, "8 frames, 4 apart"),
        (AUTOENCODER, "4 frames, 2 apart"),
    ],
    ids=["dense", "segment", "oversampling", "pretrained"],
)
def test_the_file_and_the_last_lines_say_which_frames_are_a_clip(
    tmp_path: Path, config: ModelConfig, frames: str
) -> None:
    source, notes = model(tmp_path / "model", config), Notes()

    exported(source, "torch-export", tmp_path / "a.pt2", report=notes)
    exported(source, "onnx", tmp_path / "a.onnx", report=notes)

    extra = {export_formats.EXTRA_FILE: ""}
    torch.export.load(tmp_path / "a.pt2", extra_files=extra)
    onnx = pytest.importorskip("onnx")
    stored = {prop.key: prop.value for prop in onnx.load(tmp_path / "a.onnx").metadata_props}
    is_dense = config.sampling == "dense"
    wanted = {"frames": frames.split()[0], "sampling": config.sampling, "size": "32x32"}
    wanted |= {"stride_frames": str(config.stride_frames)} if is_dense else {}
    wanted |= {"license": config.license} if config.license else {}
    assert stored == json.loads(extra[export_formats.EXTRA_FILE])
    assert {key: value for key, value in stored.items() if key != "output"} == wanted
    last = [line for line in notes.said if line.startswith("clip: ")]
    assert len(last) == 2 and all(frames in line and "32 x 32 pixels" in line for line in last)


def test_the_json_beside_it_states_the_preprocessing_and_the_licence(tmp_path: Path) -> None:
    known = {"license": "CC0-1.0", "derived_from": ("first.pth",), "stride_frames": 3}
    source = model(tmp_path / "model", CLASSIFIER.model_copy(update=known))

    exported(source, "torch-export", tmp_path / "a.pt2")

    metadata = json.loads((tmp_path / "a.pt2.json").read_text())
    preprocessing = metadata["preprocessing"]
    assert metadata["input"] == {
        "name": "clip",
        "dtype": "uint8",
        "layout": "batch, channel (R, G, B), frame, row, column",
        "shape": ["batch", 3, 4, 32, 32],
    }
    assert metadata["output"]["name"] == "logits" and metadata["classes"] == ["left", "right", "up"]
    sizes = [preprocessing[name] for name in ("frames", "stride_frames", "height", "width")]
    assert sizes == [4, 3, 32, 32]
    assert "shorter side has 32 pixels" in preprocessing["resize_rule"]
    assert preprocessing["crop_rule"].startswith(
        "32 x 32 pixels from round((longer side - 32) / 2)"
    )
    assert preprocessing["normalise"]["inside"]
    assert preprocessing["normalise"]["mean"] == [0.485, 0.456, 0.406]
    assert metadata["license"] == "CC0-1.0"
    assert metadata["derived_from"] == ["first.pth", "model/model.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt2", "a.pt2.json", "model"]


def test_no_file_is_left_if_the_outputs_differ(tmp_path: Path) -> None:
    source = model(tmp_path / "model", CLASSIFIER)
    loaded = read_checkpoint(source)
    loaded.weights["head.weight"].fill_(3e38)  # finite, but the logits overflow
    write_native(tmp_path / "broken", loaded.weights, loaded.config)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(CheckpointError, match="differ from the original's by nan"):
        exported(tmp_path / "broken", "torch-export", tmp_path / "a.pt2")

    assert sorted(tmp_path.rglob("*")) == before


def test_existing_files_are_kept_and_suffixes_must_agree(tmp_path: Path) -> None:
    source = model(tmp_path / "model", CLASSIFIER)
    (tmp_path / "a.pt2.json").write_text("mine")

    with pytest.raises(CheckpointError, match=r"a\.pt2\.json exists") as caught:
        exported(source, "torch-export", tmp_path / "a.pt2")
    with pytest.raises(UsageError, match=r"files end in \.pt2"):
        exported(source, "torch-export", tmp_path / "a.onnx")

    assert "--force" in caught.value.hint and (tmp_path / "a.pt2.json").read_text() == "mine"
    exported(source, "torch-export", tmp_path / "a.pt2", force=True)
    assert json.loads((tmp_path / "a.pt2.json").read_text())["program"] == "torch-export"


def test_a_missing_package_is_named_before_anything_is_read(tmp_path: Path) -> None:
    absent = EXPORT_FORMATS["onnx"]._replace(packages=("onnx_of_another_world",))

    with pytest.raises(UsageError, match="onnx_of_another_world") as caught:
        export_formats.check_packages(absent)

    assert "videomae[onnx]" in caught.value.hint


def test_the_values_of_large_models_are_in_a_second_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = model(tmp_path / "model", CLASSIFIER)
    monkeypatch.setattr(export_formats, "MAX_PROTOBUF_BYTES", 1_000)

    metadata = exported(source, "onnx", tmp_path / "a.onnx").metadata

    assert metadata["files"] == ["a.onnx", "a.onnx.data"]
    clip_BCTHW = clips(2, CLASSIFIER)
    found = EXPORT_FORMATS["onnx"].open(tmp_path / "a.onnx")(clip_BCTHW)
    torch.testing.assert_close(found, expected(source, clip_BCTHW, features=False))


def test_the_command_chooses_the_format_by_the_suffix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(model(tmp_path / "model", CLASSIFIER))

    assert command(["convert", source, str(tmp_path / "a.pt2"), "--features", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["output"]["name"] == "features"
    with pytest.raises(UsageError, match="--features works only with"):
        app(["convert", source, str(tmp_path / "native"), "--features"], standalone_mode=False)


@pytest.mark.slow
@pytest.mark.parametrize("features", [False, True])
def test_a_small_vit_on_whole_clips_agrees_in_onnx(tmp_path: Path, features: bool) -> None:
    grid = TokenGrid(frames=16, height=224, width=224, tubelet=2, patch=16, channels=3)
    config = CLASSIFIER.model_copy(update={"encoder": SIZES["vits"], "grid": grid})
    source = model(tmp_path / "model", config)

    exported(source, "onnx", tmp_path / "a.onnx", features=features)

    running = EXPORT_FORMATS["onnx"].open(tmp_path / "a.onnx")
    for batch in (1, 2):
        clip_BCTHW = clips(batch, config)
        wanted = expected(source, clip_BCTHW, features=features)
        torch.testing.assert_close(running(clip_BCTHW), wanted, atol=1e-4, rtol=0)
