"""videomae: pretrain, fine-tune, evaluate, look at and convert masked video autoencoders."""

__version__ = "0.1.0"
