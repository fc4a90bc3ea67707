"""A classifier uses the last norm of MAE-ST, and its positions interpolated for another grid."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from videomae_cli.checkpoints.transfer import encoder_weights_for_classifier, interpolate_positions
from videomae_cli.errors import CheckpointError
from videomae_cli.grid import TokenGrid

CLASSIFIER = {
    "encoder.class_token": (1, 1, 6),
    "encoder.positions.space": (1, 4, 6),
    "fc_norm.weight": (6,),
    "fc_norm.bias": (6,),
    "head.weight": (3, 6),
}


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    shapes = {
        "encoder.class_token": (1, 1, 6),
        "encoder.positions.space": (1, 4, 6),
        "encoder.norm.weight": (6,),
        "encoder.norm.bias": (6,),
        "encoder_to_decoder.weight": (4, 6),
        "encoder_to_decoder.bias": (4,),
        "mask_token": (1, 1, 4),
        "decoder.class_token": (1, 1, 4),
        "decoder.positions.space": (1, 4, 4),
    }
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def test_the_pretrained_norm_moves_after_the_pooling_and_is_reported():
    source = weights()

    matched, report = encoder_weights_for_classifier(source, CLASSIFIER, norm="pretrained")

    assert torch.equal(matched["fc_norm.weight"], source["encoder.norm.weight"])
    assert torch.equal(matched["fc_norm.bias"], source["encoder.norm.bias"])
    assert report.moved == {f"encoder.norm.{x}": f"fc_norm.{x}" for x in ("weight", "bias")}
    assert report.initialised == ("head.weight",)
    assert "2 moved" in report.summary()
    assert len(report.dropped) == 5


def test_a_fresh_norm_drops_the_pretrained_one():
    matched, report = encoder_weights_for_classifier(weights(), CLASSIFIER)

    assert "fc_norm.weight" not in matched and report.moved == {}
    assert set(report.initialised) == {"fc_norm.bias", "fc_norm.weight", "head.weight"}
    assert "encoder.norm.weight" in report.dropped


def test_a_classifier_keeps_its_own_norm():
    source = {name: torch.randn(shape) for name, shape in CLASSIFIER.items()}

    matched, report = encoder_weights_for_classifier(source, CLASSIFIER, norm="pretrained")

    assert torch.equal(matched["fc_norm.weight"], source["fc_norm.weight"]) and not report.moved


def test_positions_of_the_same_grid_stay_as_they_are():
    source, grid = weights(), TokenGrid(4, 32, 32)

    same, interpolated = interpolate_positions(
        source, grid, TokenGrid(8, 16, 16, tubelet=4, patch=8)
    )

    assert interpolated == () and same == source


def test_positions_are_interpolated_linearly_in_time_and_bicubically_in_space():
    old, new = TokenGrid(4, 32, 48), TokenGrid(8, 64, 48)  # 2 x 2 x 3 to 4 x 4 x 3 tokens
    time = torch.tensor([[[0.0, 1.0], [4.0, 1.0]]])
    space = torch.randn(1, 6, 2)
    source = {"encoder.positions.time": time, "encoder.positions.space": space}

    fitted, interpolated = interpolate_positions(source, old, new)

    assert set(interpolated) == set(source)
    assert fitted["encoder.positions.time"][0].tolist() == [[0, 1], [1, 1], [3, 1], [4, 1]]
    for channel in range(2):
        picture = space[0, :, channel].reshape(1, 1, 2, 3)
        expected = F.interpolate(picture, (4, 3), mode="bicubic", align_corners=False)
        found = fitted["encoder.positions.space"][0, :, channel].reshape(1, 1, 4, 3)
        torch.testing.assert_close(found, expected)


def test_a_class_token_does_not_fit_a_model_without_one():
    expected = {n: s for n, s in CLASSIFIER.items() if n != "encoder.class_token"}

    with pytest.raises(CheckpointError, match=r"not in the model: encoder\.class_token"):
        encoder_weights_for_classifier(weights(), expected)


def test_a_head_for_as_many_classes_is_kept_and_another_is_not():
    source = {name: torch.randn(shape) for name, shape in CLASSIFIER.items()}
    wider = {**source, "head.weight": torch.randn(5, 6)}

    kept, _ = encoder_weights_for_classifier(source, CLASSIFIER)
    matched, report = encoder_weights_for_classifier(wider, CLASSIFIER)

    assert torch.equal(kept["head.weight"], source["head.weight"])
    assert "head.weight" not in matched and report.initialised == ("head.weight",)
    assert report.dropped["head.weight"] == "a head for another number of classes"
