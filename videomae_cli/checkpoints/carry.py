"""From a pretrained model to the start of a fine-tuning.

Source: what the original fine-tuning script keeps and leaves. The pretrained encoder's last norm is
left behind, because the classifier normalises after pooling, with a norm of its own that starts at
weight 1, bias 0.
"""

from collections.abc import Mapping

from torch import Tensor

from videomae_cli.checkpoints.report import LoadReport, Shapes, place

LEFT_BEHIND = {
    "encoder.norm.*": "the classifier has a norm after pooling instead",
    "encoder_to_decoder.weight": "part of the decoder",
    "mask_token": "part of the decoder",
    "decoder.*": "part of the decoder",
}
FRESH = ("fc_norm.*", "head.*")


def encoder_weights_for_classifier(
    weights: Mapping[str, Tensor], expected: Shapes
) -> tuple[dict[str, Tensor], LoadReport]:
    """Choose what a classifier takes over from an autoencoder, or from another classifier.

    A classifier's norm is kept; its head too where the number of classes is the same.

    Args:
        weights: Native weights of either kind.
        expected: Native names and shapes of the new classifier.

    Raises:
        CheckpointError: The encoders differ; the tensors are named.
    """
    heads = [name for name in weights if name.startswith("head.")]
    fits = all(tuple(weights[name].shape) == tuple(expected[name]) for name in heads)
    kept = {name: tensor for name, tensor in weights.items() if fits or name not in heads}
    placed, report = place(kept, expected, allow_initialised=FRESH, allow_dropped=LEFT_BEHIND)
    reason = "a head for another number of classes"
    lost = {} if fits else dict.fromkeys(heads, reason)
    return placed, report._replace(dropped=report.dropped | lost)
