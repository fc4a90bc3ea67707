"""Every tensor is matched, dropped, initialised or refused; transfers report what they drop."""

import pytest
import torch

from tests.checkpoints.test_loading import drawn, finetune_shapes, pretrain_shapes
from videomae_cli.checkpoints.load_report import LoadReport, match_tensors
from videomae_cli.checkpoints.transfer import encoder_weights_for_classifier
from videomae_cli.errors import CheckpointError

CLASSIFIER = {
    name if name.startswith(("head.", "fc_norm.")) else f"encoder.{name}": shape
    for name, shape in finetune_shapes().items()
}


def test_a_perfect_fit_is_all_matched() -> None:
    weights = {"a": torch.zeros(2, 3), "b": torch.zeros(())}

    matched, report = match_tensors(weights, {"a": (2, 3), "b": ()})

    assert matched == weights
    assert report == LoadReport(matched=("a", "b"))
    assert report.summary() == "2 tensors matched"


def test_all_faults_are_named_at_once() -> None:
    weights = {"extra": torch.zeros(1), "wide": torch.zeros(2, 3)}

    with pytest.raises(CheckpointError) as caught:
        match_tensors(weights, {"wide": (3, 2), "absent": (1,)})

    message = caught.value.message
    assert "not in the model: extra" in message
    assert "missing: absent" in message
    assert "wide is 2x3, the model has 3x2" in message
    assert caught.value.exit_code == 4


def test_allowances_are_patterns_and_are_listed() -> None:
    weights = {"body.w": torch.zeros(1), "old.w": torch.zeros(1)}

    matched, report = match_tensors(
        weights,
        {"body.w": (1,), "head.w": (1,)},
        allow_initialised=("head.*",),
        allow_dropped={"old.*": "not needed"},
    )

    assert matched.keys() == {"body.w"}
    assert report.initialised == ("head.w",) and report.dropped == {"old.w": "not needed"}
    assert report.summary() == "1 tensors matched, 1 initialised, 1 dropped"


def test_an_allowance_does_not_excuse_a_wrong_shape() -> None:
    with pytest.raises(CheckpointError, match="wrong shape"):
        match_tensors({"head.w": torch.zeros(2)}, {"head.w": (1,)}, allow_initialised=("head.*",))


def test_a_classifier_uses_the_pretrained_encoder_and_drops_the_rest() -> None:
    weights = drawn(pretrain_shapes())

    matched, report = encoder_weights_for_classifier(weights, CLASSIFIER)

    assert len(report.matched) == 2 + 13 * 2 == len(matched)
    assert all(name.startswith("encoder.") for name in report.matched)
    assert set(report.initialised) == {
        "fc_norm.weight",
        "fc_norm.bias",
        "head.weight",
        "head.bias",
    }
    assert {"encoder.norm.weight", "mask_token", "decoder.head.weight"} <= report.dropped.keys()
    assert len(report.matched) + len(report.dropped) == len(weights)
    name = "encoder.blocks.1.attn.qkv.weight"
    assert torch.equal(matched[name], weights[name])


def test_a_classifier_keeps_another_ones_head_where_the_classes_agree() -> None:
    weights = drawn(CLASSIFIER)
    other = {**CLASSIFIER, "head.weight": (9, 12), "head.bias": (9,)}

    same, same_report = encoder_weights_for_classifier(weights, CLASSIFIER)
    new, new_report = encoder_weights_for_classifier(weights, other)

    assert same.keys() == weights.keys() and not same_report.initialised
    assert set(new_report.initialised) == {"head.weight", "head.bias"}
    assert set(new_report.dropped.values()) == {"a head for another number of classes"}
    assert "fc_norm.weight" in new


def test_an_encoder_of_another_dimension_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"encoder\.blocks\.0\.attn\.proj\.bias is 24"):
        encoder_weights_for_classifier(drawn(pretrain_shapes(dim=24)), CLASSIFIER)
