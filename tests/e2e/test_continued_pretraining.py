"""`pretrain --checkpoint`: pretraining goes on from weights of any format and clip shape."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.notes import Notes
from videomae_cli.checkpoints.loading import save_as_format
from videomae_cli.cli import app
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import CheckpointError, TrainingError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.tasks.load_model import read_checkpoint
from videomae_cli.tasks.train import pretrain
from videomae_cli.tasks.train.job import Job, open_manifest

LEARNED = (
    "model.positions=separable",
    "model.class_token=true",
    "model.biases=all",
    "mask.strategy=random",
)


def recipe_for(recipes: Path, data: Path, *changes: str) -> PretrainRecipe:
    settings = [f"data='{data}'", "train.workers=0", *changes]
    return load_recipe(str(recipes / "micro.yaml"), settings, "pretrain")


def build(recipes: Path, data: Path, notes: Notes, *changes: str) -> Job:
    recipe = recipe_for(recipes, data, *changes)
    with Runtime("fp32", cpu=True) as runtime:
        return pretrain.build_job(recipe, open_manifest(recipe), runtime, notes)


def weights_of(job: Job) -> dict[str, Tensor]:
    assert isinstance(job.model, Autoencoder)
    return job.model.state_dict()


@pytest.fixture(scope="module")
def source(recipes: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished pretraining run of 3 steps."""
    run = tmp_path_factory.mktemp("source") / "run"
    pretrain.run(recipe_for(recipes, prepared, "schedule.steps=3", "seed=5"), run, Notes())
    return run


@pytest.fixture(scope="module")
def learned_source(recipes: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run of a model with learned positions, class tokens and all biases."""
    run = tmp_path_factory.mktemp("learned") / "run"
    recipe = recipe_for(recipes, prepared, "schedule.steps=3", "seed=5", *LEARNED)
    pretrain.run(recipe, run, Notes())
    return run


@pytest.mark.parametrize("kind", ["native", "v1", "hf"])
def test_every_weight_of_an_autoencoder_is_taken(
    kind: str, source: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    loaded = read_checkpoint(source)
    path, notes = source, Notes()
    if kind != "native":
        path = tmp_path / ("weights.pth" if kind == "v1" else "weights")
        save_as_format(path, loaded.weights, loaded.config, kind)

    job = build(recipes, prepared, notes, f"start='{path}'")

    taken = weights_of(job)
    assert taken.keys() == loaded.weights.keys()
    assert all(torch.equal(taken[name], loaded.weights[name]) for name in taken)
    assert notes.has(f"starting from {path}: {len(taken)} tensors matched")
    assert job.config.derived_from[-1] == f"{path} (autoencoder, {kind})"
    fresh = build(recipes, prepared, Notes())
    assert not torch.equal(weights_of(fresh)["mask_token"], taken["mask_token"])
    assert (fresh.identity["init"], len(job.identity["init"])) == ("", 64)


@pytest.mark.parametrize("kind", ["encoder", "classifier", "image"])
def test_without_a_decoder_a_fresh_one_is_drawn_and_announced(
    kind: str, source: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    weights = read_checkpoint(source).weights
    encoder = {name: tensor for name, tensor in weights.items() if name.startswith("encoder.")}
    path, notes = tmp_path / "weights.pth", Notes()
    if kind == "image":
        torch.save(image_weights(encoder), path)
    else:
        names = {n.removeprefix("encoder."): t for n, t in encoder.items()}
        if kind == "classifier":
            head = {"fc_norm.weight": torch.ones(48), "fc_norm.bias": torch.zeros(48)}
            names |= head | {"head.weight": torch.ones(3, 48), "head.bias": torch.zeros(3)}
            del names["norm.weight"], names["norm.bias"]
        torch.save({"model": names}, path)  # as the scripts of VideoMAE V1 do

    job = build(recipes, prepared, notes, f"start='{path}'")

    taken, fresh = weights_of(job), weights_of(build(recipes, prepared, Notes()))
    assert any(f"{path} has no decoder" in line for line in notes.warned)
    name = "encoder.blocks.0.mlp.fc1.weight"
    assert torch.equal(taken[name], weights[name]) and not torch.equal(taken[name], fresh[name])
    for name in taken:
        if not name.startswith("encoder."):
            assert torch.equal(taken[name], fresh[name]), name
    if kind == "image":  # inflated: a clip of equal frames has the embedding of the image
        embed = taken["encoder.patch_embed.proj.weight"]
        torch.testing.assert_close(
            embed.sum(dim=2), weights["encoder.patch_embed.proj.weight"].sum(dim=2)
        )


def image_weights(encoder: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the same encoder as a 2-D model of timm: fused biases, positions and class token."""
    names = {n.removeprefix("encoder."): t.clone() for n, t in encoder.items()}
    dim = names["norm.weight"].shape[0]
    for name in [n for n in names if n.endswith("attn.q_bias")]:
        q, v = names.pop(name), names.pop(name.replace("q_bias", "v_bias"))
        names[name.replace("q_bias", "qkv.bias")] = torch.cat((q, torch.zeros(dim), v))
    names["patch_embed.proj.weight"] = names["patch_embed.proj.weight"].sum(dim=2)
    return names | {"cls_token": torch.zeros(1, 1, dim), "pos_embed": torch.zeros(1, 17, dim)}


def test_other_clip_shapes_are_adapted(source: Path, recipes: Path, prepared: Path) -> None:
    weights, notes = read_checkpoint(source).weights, Notes()
    shape = ("clip.frames=8", "clip.size=48", "clip.tubelet=4")

    taken = weights_of(build(recipes, prepared, notes, f"start='{source}'", *shape))

    embed = "encoder.patch_embed.proj.weight"
    torch.testing.assert_close(taken[embed].sum(dim=2), weights[embed].sum(dim=2))
    assert notes.has("1 tensor adapted to this recipe: tubelets 2 to 4 frames")
    assert notes.has("position embeddings computed for 2x6x6 tokens")
    assert any("the last layer of the decoder is drawn afresh" in line for line in notes.warned)
    others = weights.keys() - {embed, "decoder.head.weight", "decoder.head.bias"}
    assert all(torch.equal(taken[name], weights[name]) for name in others)


def test_learned_positions_of_encoder_and_decoder_are_interpolated(
    learned_source: Path, recipes: Path, prepared: Path
) -> None:
    weights, notes = read_checkpoint(learned_source).weights, Notes()
    shape = ("clip.frames=8", "clip.size=48", f"start='{learned_source}'")

    taken = weights_of(build(recipes, prepared, notes, *shape, *LEARNED))

    assert notes.has("4 tensors adapted to this recipe: positions interpolated")
    for part in ("encoder", "decoder"):
        time = taken[f"{part}.positions.time"]
        assert time.shape[1] == 4 and taken[f"{part}.positions.space"].shape[1] == 36
        old = weights[f"{part}.positions.time"]
        torch.testing.assert_close(time[0, [0, -1]], old[0, [0, -1]])
    assert torch.equal(taken["decoder.head.weight"], weights["decoder.head.weight"])


@pytest.mark.parametrize(
    ("change", "words", "hint"),
    [
        ("model.size=tiny", "has an encoder of", "model.size"),
        ("model.decoder.dim=16", "has a decoder of dimension 32", "--set model.decoder.dim=32"),
        ("clip.patch=16", "patches of 8 pixels", "set clip.patch to 8"),
    ],
)
def test_another_architecture_is_refused_with_a_hint(
    change: str, words: str, hint: str, source: Path, recipes: Path, prepared: Path
) -> None:
    with pytest.raises(CheckpointError, match=words) as caught:
        build(recipes, prepared, Notes(), f"start='{source}'", change)

    assert hint in caught.value.hint


def test_a_resumed_run_ends_as_an_uninterrupted_one(
    source: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    shutil.copytree(source / "final", start)
    recipe = recipe_for(recipes, prepared, f"start='{start}'")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    pretrain.run(recipe, whole, Notes())
    shutil.copytree(whole, stopped)
    shutil.rmtree(stopped / "final")
    for path in list((stopped / "checkpoints").iterdir()):
        if path.name != "step-000000005":
            shutil.rmtree(path)

    pretrain.run(recipe, stopped, Notes())

    for name in ("final/model.safetensors", "metrics.jsonl", "recipe.yaml"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name
    shutil.rmtree(stopped / "final")
    (start / "model.safetensors").write_bytes((whole / "final/model.safetensors").read_bytes())
    with pytest.raises(TrainingError, match="init changed"):
        pretrain.run(recipe, stopped, Notes())


def test_the_option_fills_the_recipe_and_a_dry_run_reads_the_weights(
    source: Path, recipes: Path, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pretrain", "--recipe", f"{recipes}/micro.yaml", "--data", str(prepared)]
    words += ["--set", "schedule.steps=2", "--checkpoint"]

    assert app.run([*words, str(source), "--out", f"{tmp_path}/run"]) == 0
    assert app.run([*words, str(source), "--dry-run"]) == 0
    assert app.run([*words, str(tmp_path / "missing"), "--dry-run"]) == 4
    assert "missing" in capsys.readouterr().err

    config = json.loads((tmp_path / "run/final/model.json").read_text())
    assert config["derived_from"] == [f"{source} (autoencoder, native)"]
    assert config["recipe"]["start"] == str(source)
    assert f'start: "{source}"' in (tmp_path / "run/recipe.yaml").read_text()
