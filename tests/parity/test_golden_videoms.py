"""The golden script agrees with VideoMS's file, and with an oracle's of another size."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from tests.parity import golden, oracle
from tests.parity.test_golden import affine, change, linear, printed, stack, write

QUANTITIES = {"patch_embeddings", "hidden_from_encoder", "not_reconstructed", "pred"}


def write_pretrain(path: Path, *, slices: int, drop: float, ratio: float) -> Path:
    """A file of the kind `videoms_pretrain`: tubelets of 2 x 4 x 4, 3 x 4 tokens to a slice."""
    torch.manual_seed(5)
    weights = linear("encoder.patch_embed.proj", 24, 3, 2, 4, 4) | stack("encoder.", 24, 2, 40)
    weights |= affine("encoder.norm", 24) | {"encoder_to_decoder.weight": torch.randn(16, 24) * 0.2}
    weights |= {"mask_token": torch.randn(1, 1, 16) * 0.1} | stack("decoder.", 16, 1, 20)
    weights |= affine("decoder.norm", 16) | linear("decoder.head", 96, 16)
    video = torch.randn(2, 3, 2 * slices, 12, 16)
    tokens = slices * 12
    pool, kept = int((1 - drop) * tokens), int((1 - ratio) * tokens)
    kernel, bias = (weights[f"encoder.patch_embed.proj.{x}"] for x in ("weight", "bias"))
    embedded = F.conv3d(video, kernel, bias, stride=(2, 4, 4)).flatten(2).transpose(1, 2)
    noise = torch.rand(2, pool)
    visible, target = torch.zeros(2, 2, tokens, dtype=torch.bool)
    for clip in range(2):
        change_N = (embedded[clip, 12:] - embedded[clip, :-12]).norm(dim=-1).tolist()
        moved = change_N[:12] + change_N
        ranked = sorted(range(tokens), key=lambda n: -moved[n])[:pool]
        shuffled = [ranked[place] for place in noise[clip].argsort().tolist()]
        visible[clip, shuffled[:kept]] = True
        target[clip, shuffled[kept:]] = True
    pred = oracle.autoencode(weights, video, ~visible, (3, 2), target)[1]
    metadata = {"encoder_heads": "3", "decoder_heads": "2"}
    metadata |= {"motion_ratio": str(drop), "mask_ratio": str(ratio)}
    tensors = {"video": video, "noise": noise, "patch_embeddings": embedded, "pred": pred}
    tensors |= {"hidden_from_encoder": ~visible, "not_reconstructed": ~target}
    return write(path, tensors, weights, metadata)


def test_the_models_agree_with_the_reference(shared: Path, capsys: pytest.CaptureFixture[str]):
    code = golden.main([str(shared / "golden" / "videoms_pretrain.safetensors")])

    assert printed(capsys.readouterr().out) == dict.fromkeys(QUANTITIES, "ok")
    assert code == 0


@pytest.mark.parametrize(("slices", "drop", "ratio"), [(3, 0.5, 0.75), (5, 0.2, 0.6)])
def test_an_autoencoder_of_another_size_agrees_with_the_oracle(
    slices: int, drop: float, ratio: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_pretrain(tmp_path / "other.safetensors", slices=slices, drop=drop, ratio=ratio)

    code = golden.main([str(path)])

    assert printed(capsys.readouterr().out) == dict.fromkeys(QUANTITIES, "ok")
    assert code == 0


@pytest.mark.parametrize("quantity", ["hidden_from_encoder", "not_reconstructed"])
def test_one_wrong_token_is_reported(
    quantity: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_pretrain(tmp_path / "wrong.safetensors", slices=3, drop=0.5, ratio=0.75)
    change(path, lambda tensors: tensors[quantity].view(-1)[-1:].logical_not_())

    code = golden.main([str(path)])

    assert printed(capsys.readouterr().out)[quantity] == "DIFFERS"
    assert code == 1
