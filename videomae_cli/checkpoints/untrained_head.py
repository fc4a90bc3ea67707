"""Recognise a classification head that was never trained, before its answers are believed.

Every initialisation that creates such heads sets the bias to 0: ours, VideoMAE's, and that of
transformers, which draws a new head without an error if a checkpoint has none, or has one for
another number of classes. Training moves the bias: the gradient of cross entropy in it is the
difference between predicted and given class frequencies, exactly 0 for all classes only by chance.
"""

from videomae_cli.checkpoints.keymap import Weights

BIAS = "head.bias"


def is_untrained_head(weights: Weights) -> bool:
    """Return whether native weights have a head whose bias is exactly 0 for every class.

    False for weights without a head. True also for a head that was trained without a bias and
    stored with zeros, so the user must be able to overrule it.
    """
    bias_K = weights.get(BIAS)
    return bias_K is not None and not bool(bias_K.any())
