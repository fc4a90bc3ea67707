"""Probes from recipe to result: what is trained, saved, resumed, evaluated and converted."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.e2e.test_shard import furthest
from tests.e2e.warm import Warm
from videomae_cli.cli import app
from videomae_cli.engine.saving.store import newest_checkpoint

Words = list[str | Path]


@pytest.fixture(scope="module")
def pretrained(prepared: Path, recipes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a micro pretraining run whose last norm has learned."""
    run = tmp_path_factory.mktemp("pretrained") / "run"
    words = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared, "--out", run]
    assert app.run([str(word) for word in words]) == 0
    assert load_file(run / "final/model.safetensors")["encoder.norm.bias"].any()
    return run


def command(recipes: Path, prepared: Path, start: Path | str, out: Path, *changes: str) -> Words:
    words: Words = ["finetune", "--recipe", recipes / "micro-finetune.yaml", "--data", prepared]
    for change in ("model.frozen=true", "train.workers=0", f"start={start}", *changes):
        words += ["--set", change]
    return [*words, "--out", out]


def run(words: Words) -> int:
    return app.run([str(word) for word in words])


@pytest.mark.parametrize("head", [pytest.param("linear", marks=pytest.mark.slow), "attentive"])
def test_a_probe_trains_the_head_and_leaves_the_encoder_to_the_bit(
    head: str,
    prepared: Path,
    recipes: Path,
    pretrained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = [f"model.head={head}", "train.ema=0.9", "train.recompute=true"]
    words = command(recipes, prepared, pretrained, tmp_path / "probe", *changes)
    assert run(words) == 0
    assert "the encoder is frozen, with its last norm" in "".join(capsys.readouterr())

    before = load_file(pretrained / "final/model.safetensors")
    after = load_file(tmp_path / "probe/final/model.safetensors")
    encoder = [name for name in before if name.startswith("encoder.")]
    assert [name for name in encoder if not torch.equal(before[name], after[name])] == []
    heads = {name.split(".")[0] for name in after.keys() - encoder}
    assert heads == {"fc_norm", "head"} | ({"pooler"} if head == "attentive" else set())
    save, _ = newest_checkpoint(tmp_path / "probe/checkpoints")
    assert save is not None
    moments = load_file(save / "optimizer.safetensors")
    assert {name.split("/")[0].split(".")[1] for name in moments} == heads
    assert all(after[name].any() for name in after if name.endswith("head.bias"))
    assert app.run(["eval", "--checkpoint", str(tmp_path / "probe"), "--data", str(prepared)]) == 0


@pytest.mark.slow
def test_a_probe_resumes_to_the_bit_and_shards(
    prepared: Path, recipes: Path, pretrained: Path, tmp_path: Path, warm: Warm
) -> None:
    changes = ["model.head=attentive", "train.ema=0.9", "model.head_dropout=0.0"]
    changes += ["train.batch=8", "train.save_every_steps=2"]
    words = command(recipes, prepared, pretrained, tmp_path / "whole", *changes)
    assert warm.run(words, world=2) == [0, 0], warm.text()
    shard = command(recipes, prepared, pretrained, tmp_path / "shard", *changes, "train.shard=true")
    assert warm.run(shard, world=2) == [0, 0], warm.text()

    # the norm that clips is a sum in another order, so the last digits differ
    assert furthest(tmp_path / "shard", tmp_path / "whole") < 1e-6

    log = (tmp_path / "whole/metrics.jsonl").read_bytes()
    final = (tmp_path / "whole/final/model.safetensors").read_bytes()
    (tmp_path / "whole/final").rename(tmp_path / "final set aside")
    for late in (tmp_path / "whole/checkpoints").glob("step-*8"):
        late.rename(tmp_path / "checkpoint set aside")
    assert warm.run(["finetune", "--resume", tmp_path / "whole"], world=2) == [0, 0], warm.text()

    assert (tmp_path / "whole/metrics.jsonl").read_bytes() == log
    assert (tmp_path / "whole/final/model.safetensors").read_bytes() == final


@pytest.mark.slow
def test_a_dry_run_says_how_much_of_the_model_is_trained(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command(recipes, prepared, "scratch", tmp_path / "probe")
    assert run([*words, "--dry-run", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["trained_parameters"] == 2 * 48 + 48 * 2 + 2
    assert found["parameters"] > 100 * found["trained_parameters"]
