"""The models agree with the reference's golden files, and with an oracle's of other sizes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file

from tests.parity import golden, oracle

PRETRAIN_QUANTITIES = {
    "latent", "pred", "target_pixels", "target_normalized", "loss_pixels", "loss",
    "step_losses", "step_grad_norms",
}  # fmt: skip
FINETUNE_QUANTITIES = {"features", "logits", "parameter groups", "step_losses"}


def stack(prefix: str, dim: int, depth: int, mlp: int) -> dict[str, torch.Tensor]:
    weights = {}
    for i in range(depth):
        at = f"{prefix}blocks.{i}."
        weights |= affine(f"{at}norm1", dim) | affine(f"{at}norm2", dim)
        weights |= {f"{at}attn.{name}": torch.randn(dim) * 0.1 for name in ("q_bias", "v_bias")}
        weights |= {f"{at}attn.qkv.weight": torch.randn(3 * dim, dim) * 0.2}
        weights |= linear(f"{at}attn.proj", dim, dim)
        weights |= linear(f"{at}mlp.fc1", mlp, dim) | linear(f"{at}mlp.fc2", dim, mlp)
    return weights


def linear(name: str, out: int, *into: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.randn(out, *into) * 0.1, f"{name}.bias": torch.randn(out) * 0.1}


def affine(name: str, dim: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": 1 + torch.randn(dim) * 0.1, f"{name}.bias": torch.randn(dim) * 0.1}


def write(path: Path, tensors: dict, weights: dict, metadata: dict[str, str]) -> Path:
    content = tensors | {f"sd.{name}": value for name, value in weights.items()}
    save_file({k: v.detach().contiguous() for k, v in content.items()}, path, metadata)
    return path


def write_pretrain(path: Path, *, tubelet: int, patch: int, frames: int) -> Path:
    """A file of the kind `videomae_pretrain`: 3 x 4 tokens to a slice, MLPs of odd widths."""
    torch.manual_seed(3)
    kernel = (3, tubelet, patch, patch)
    weights = linear("encoder.patch_embed.proj", 24, *kernel) | stack("encoder.", 24, 2, 40)
    weights |= affine("encoder.norm", 24) | {"encoder_to_decoder.weight": torch.randn(16, 24) * 0.2}
    weights |= {"mask_token": torch.randn(1, 1, 16) * 0.1} | stack("decoder.", 16, 1, 20)
    pixels = 3 * tubelet * patch**2
    weights |= affine("decoder.norm", 16) | linear("decoder.head", pixels, 16)
    raw = torch.randint(0, 256, (2, frames, 3 * patch, 4 * patch, 3), dtype=torch.uint8)
    hidden = torch.rand(2, frames // tubelet * 12).argsort(1) < frames // tubelet * 8
    clip = (raw.permute(0, 4, 1, 2, 3) / 255 - oracle.MEAN) / oracle.STD
    expected = {
        f"target_{name}": oracle.targets(clip, hidden, tubelet, patch, normalized=is_normalized)
        for name, is_normalized in (("normalized", True), ("pixels", False))
    }

    def loss(sd: dict, target: str) -> torch.Tensor:
        return ((oracle.autoencode(sd, clip, hidden, (3, 2))[1] - expected[target]) ** 2).mean()

    latent, pred = oracle.autoencode(weights, clip, hidden, (3, 2))
    expected |= {"latent": latent, "pred": pred, "loss": loss(weights, "target_normalized")[None]}
    expected |= {"loss_pixels": loss(weights, "target_pixels")[None]}
    rates = [0.001, 0.01, 0.004]
    losses, norms = oracle.train(
        weights,
        lambda sd: loss(sd, "target_normalized"),
        rates=[dict.fromkeys(weights, rate) for rate in rates],
        decays={n: 0.1 * (w.ndim > 1 and n != "mask_token") for n, w in weights.items()},
        betas=(0.8, 0.9),
        clip=0.05,
    )
    optimizer = "AdamW lr=lr_schedule[i] betas=(0.8, 0.9) eps=1e-8 weight_decay=0.1; norm clip 5e-2"
    metadata = {"encoder_heads": "3", "decoder_heads": "2", "optimizer": optimizer}
    tensors = {
        "frames": raw,
        "mask": hidden,
        "lr_schedule": torch.tensor(rates, dtype=torch.float64),
    }
    return write(
        path,
        tensors | expected | {"step_losses": losses, "step_grad_norms": norms},
        weights,
        metadata,
    )


def write_finetune(path: Path, *, tubelet: int, patch: int, classes: int) -> Path:
    """A file of the kind `videomae_finetune`: 2 x 3 x 2 tokens, MLPs of odd width."""
    torch.manual_seed(4)
    weights = linear("patch_embed.proj", 24, 3, tubelet, patch, patch) | stack("", 24, 2, 36)
    weights |= affine("fc_norm", 24) | linear("head", classes, 24)
    video = torch.randn(4, 3, 2 * tubelet, 3 * patch, 2 * patch)
    labels = torch.randint(0, classes, (4,))
    features, logits = oracle.classify(weights, video, 4)
    layer = {n: 0 if n[0] == "p" else int(n[7]) + 1 if n[0] == "b" else 3 for n in weights}
    scales = {n: 0.65 ** (3 - layer[n]) for n in weights}
    decays = {n: 0.02 if w.ndim > 1 else 0.0 for n, w in weights.items()}

    def loss(sd: dict) -> torch.Tensor:
        soft = F.one_hot(labels, classes) * 0.8 + 0.2 / classes
        return -(soft * oracle.classify(sd, video, 4)[1].log_softmax(1)).sum(1).mean()

    rates = [{n: 0.002 * scale for n, scale in scales.items()}] * 5
    losses, _ = oracle.train(weights, loss, rates=rates, decays=decays, betas=(0.9, 0.999))
    groups = {n: {"lr_scale": scales[n], "weight_decay": decays[n]} for n in weights}
    optimizer = (
        "AdamW lr=2e-3*lr_scale betas=(0.9,0.999) eps=1e-8 weight_decay per group; "
        "label smoothing 0.2"
    )
    metadata = {"encoder_heads": "4", "layer_decay": "0.65", "param_groups": json.dumps(groups)}
    tensors = {"video": video, "labels": labels, "features": features, "logits": logits}
    return write(
        path, tensors | {"step_losses": losses}, weights, metadata | {"optimizer": optimizer}
    )


def printed(text: str) -> dict[str, str]:
    """Quantity to verdict."""
    lines = (line.split("  ") for line in text.splitlines())
    return {fields[1].strip(): fields[-1] for fields in lines}


@pytest.mark.parametrize(
    ("name", "quantities"),
    [("videomae_pretrain", PRETRAIN_QUANTITIES), ("videomae_finetune", FINETUNE_QUANTITIES)],
)
def test_the_models_agree_with_the_reference(
    name: str, quantities: set[str], shared: Path, capsys: pytest.CaptureFixture[str]
):
    code = golden.main([str(shared / "golden" / f"{name}.safetensors")])

    assert printed(capsys.readouterr().out) == dict.fromkeys(quantities, "ok")
    assert code == 0


@pytest.mark.parametrize(("tubelet", "patch", "frames"), [(1, 8, 3), (4, 8, 8), (2, 4, 4)])
def test_an_autoencoder_of_another_size_agrees_with_the_oracle(
    tubelet: int, patch: int, frames: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "any name.safetensors"
    write_pretrain(path, tubelet=tubelet, patch=patch, frames=frames)

    code = golden.main([str(path)])

    assert printed(capsys.readouterr().out) == dict.fromkeys(PRETRAIN_QUANTITIES, "ok")
    assert code == 0


@pytest.mark.parametrize(("tubelet", "patch", "classes"), [(1, 8, 3), (4, 16, 11)])
def test_a_classifier_of_another_size_agrees_with_the_oracle(
    tubelet: int, patch: int, classes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "other.safetensors"
    write_finetune(path, tubelet=tubelet, patch=patch, classes=classes)

    code = golden.main([str(path)])

    assert printed(capsys.readouterr().out) == dict.fromkeys(FINETUNE_QUANTITIES, "ok")
    assert code == 0


@pytest.mark.parametrize("quantity", sorted(PRETRAIN_QUANTITIES))
def test_one_wrong_number_fails_its_quantity_and_no_other(
    quantity: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_pretrain(tmp_path / "wrong.safetensors", tubelet=1, patch=4, frames=2)
    change(path, lambda tensors: tensors[quantity].view(-1)[-1].add_(3e-4))

    code = golden.main([str(path)])

    verdicts = printed(capsys.readouterr().out)
    assert verdicts == dict.fromkeys(PRETRAIN_QUANTITIES, "ok") | {quantity: "DIFFERS"}
    assert code == 1


def change(path: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    metadata = golden.read(path).metadata
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, metadata)


def test_another_parameter_group_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_finetune(tmp_path / "wrong.safetensors", tubelet=1, patch=4, classes=3)
    tensors, metadata = golden.read(path)
    groups = json.loads(metadata["param_groups"])
    groups["head.bias"]["lr_scale"] = 0.65
    save_file(tensors, path, metadata | {"param_groups": json.dumps(groups)})

    code = golden.main([str(path)])

    assert printed(capsys.readouterr().out)["parameter groups"] == "DIFFERS"
    assert code == 1


def test_nan_does_not_agree():
    assert not golden.Quantity("loss", float("nan"), 1.0).agrees


@pytest.mark.parametrize("kind", ["text", "absent", "other tensors", "no heads", "lost weight"])
def test_an_unknown_file_gives_exit_code_2(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "some.safetensors"
    if kind == "text":
        path.write_text("not tensors")
    elif kind == "other tensors":
        save_file({"noise": torch.zeros(2)}, path)
    elif kind != "absent":
        write_finetune(path, tubelet=1, patch=4, classes=3)
        tensors, metadata = golden.read(path)
        if kind == "no heads":
            del metadata["encoder_heads"]
        else:
            del tensors["sd.head.bias"]
        save_file(tensors, path, metadata)

    code = golden.main([str(path)])

    captured = capsys.readouterr()
    assert code == 2 and captured.out == ""
    assert captured.err.startswith(f"{path}: not a known golden file")
