"""The golden script agrees with MAE-ST's files, and with an oracle's of other sizes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.parity import golden, mae_st_oracle
from tests.parity.test_golden import affine, change, linear, printed, write

PRETRAIN_QUANTITIES = {"mask", "pred", "loss"}
Weights = dict[str, torch.Tensor]


def stack(prefix: str, dim: int, depth: int, mlp: int) -> Weights:
    weights = {}
    for i in range(depth):
        at = f"{prefix}blocks.{i}."
        weights |= affine(f"{at}norm1", dim) | affine(f"{at}norm2", dim)
        for part in ("q", "k", "v", "proj"):
            weights |= linear(f"{at}attn.{part}", dim, dim)
        weights |= linear(f"{at}mlp.fc1", mlp, dim) | linear(f"{at}mlp.fc2", dim, mlp)
    return weights


def tables(prefix: str, dim: int, slices: int, places: int, token: str) -> Weights:
    sizes = {"spatial": places, "temporal": slices} | ({"class": 1} if token else {})
    weights = {f"{prefix}pos_embed_{n}": torch.randn(1, size, dim) for n, size in sizes.items()}
    return weights | ({token: torch.randn(1, 1, dim)} if token else {})


def write_pretrain(
    path: Path,
    *,
    tubelet: int,
    patch: int,
    frames: int,
    predicted: int,
    has_token: bool = True,
    normalized: bool = True,
) -> Path:
    """A file of the kind `mae_st_pretrain`: 3 x 4 tokens to a slice, MLPs of odd widths."""
    torch.manual_seed(3)
    slices = frames // tubelet
    numbers = 3 * patch**2 * tubelet * predicted // frames
    weights = linear("patch_embed.proj", 24, 3, tubelet, patch, patch) | stack("", 24, 2, 40)
    weights |= tables("", 24, slices, 12, "cls_token" if has_token else "") | affine("norm", 24)
    weights |= linear("decoder_embed", 16, 24) | {"mask_token": torch.randn(1, 1, 16)}
    weights |= tables("decoder_", 16, slices, 12, "decoder_cls_token" if has_token else "")
    weights |= stack("decoder_", 16, 1, 20) | affine("decoder_norm", 16)
    weights |= linear("decoder_pred", numbers, 16)
    video = torch.randn(2, 3, frames, 3 * patch, 4 * patch)
    noise = torch.rand(2, slices * 12)
    kept = int(slices * 12 * (1 - 0.75))
    mask = (noise.argsort(1).argsort(1) >= kept).float()
    pred = torch.stack(
        [
            mae_st_oracle.predict(weights, v, n, kept, (3, 2))
            for v, n in zip(video, noise, strict=True)
        ]
    )
    target = torch.stack(
        [mae_st_oracle.target(v, tubelet, patch, predicted, normalized=normalized) for v in video]
    )
    loss = (((pred - target) ** 2).mean(-1) * mask).sum() / mask.sum()
    metadata = {"encoder_heads": "3", "decoder_heads": "2", "mask_ratio": "0.75"}
    metadata |= {"norm_pix_loss": str(normalized), "pred_t_dim": str(predicted)}
    tensors = {"video": video, "noise": noise, "mask": mask, "pred": pred, "loss": loss[None]}
    return write(path, tensors, weights, metadata)


def write_finetune(path: Path, *, tubelet: int, patch: int, classes: int) -> Path:
    """A file of the kind `mae_st_finetune`: 2 x 3 x 2 tokens, MLPs of odd width."""
    torch.manual_seed(4)
    weights = linear("patch_embed.proj", 24, 3, tubelet, patch, patch) | stack("", 24, 2, 36)
    weights |= tables("", 24, 2, 6, "cls_token") | affine("norm", 24) | linear("head", classes, 24)
    video = torch.randn(4, 3, 2 * tubelet, 3 * patch, 2 * patch)
    logits = torch.stack([mae_st_oracle.classify(weights, clip, 4) for clip in video])
    return write(path, {"video": video, "logits": logits}, weights, {"encoder_heads": "4"})


@pytest.mark.parametrize(
    ("name", "quantities"),
    [("mae_st_pretrain", PRETRAIN_QUANTITIES), ("mae_st_finetune", {"logits"})],
)
def test_the_models_agree_with_the_reference(
    name: str, quantities: set[str], shared: Path, capsys: pytest.CaptureFixture[str]
):
    code = golden.main([str(shared / "golden" / f"{name}.safetensors")])

    assert printed(capsys.readouterr().out) == dict.fromkeys(quantities, "ok")
    assert code == 0


@pytest.mark.parametrize(
    "sizes",
    [
        {"tubelet": 2, "patch": 8, "frames": 8, "predicted": 4},
        {"tubelet": 1, "patch": 4, "frames": 3, "predicted": 3},
        {"tubelet": 4, "patch": 4, "frames": 8, "predicted": 2},
        {"tubelet": 4, "patch": 4, "frames": 12, "predicted": 6},
        {"tubelet": 2, "patch": 8, "frames": 4, "predicted": 4},
        {"tubelet": 2, "patch": 8, "frames": 6, "predicted": 3, "has_token": False},
        {"tubelet": 2, "patch": 8, "frames": 6, "predicted": 3, "normalized": False},
    ],
)
def test_an_autoencoder_of_another_size_agrees_with_the_oracle(
    sizes: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_pretrain(tmp_path / "any name.safetensors", **sizes)

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

    assert printed(capsys.readouterr().out) == {"logits": "ok"}
    assert code == 0


@pytest.mark.parametrize("quantity", sorted(PRETRAIN_QUANTITIES))
def test_one_wrong_number_fails_its_quantity_and_no_other(
    quantity: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "wrong.safetensors"
    write_pretrain(path, tubelet=2, patch=4, frames=4, predicted=2)
    change(path, lambda tensors: tensors[quantity].view(-1)[-1].add_(3e-4))

    code = golden.main([str(path)])

    verdicts = printed(capsys.readouterr().out)
    assert verdicts == dict.fromkeys(PRETRAIN_QUANTITIES, "ok") | {quantity: "DIFFERS"}
    assert code == 1


@pytest.mark.parametrize("lost", ["blocks.0.attn.k.weight", "pos_embed_spatial", "cls_token"])
def test_a_file_without_a_weight_gives_exit_code_2(
    lost: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_finetune(tmp_path / "lost.safetensors", tubelet=1, patch=4, classes=3)
    tensors, metadata = load_file(path), golden.read(path).metadata
    del tensors[f"sd.{lost}"]
    save_file(tensors, path, metadata)

    code = golden.main([str(path)])

    assert code == 2
    assert f"{path}: not a known golden file" in capsys.readouterr().err
