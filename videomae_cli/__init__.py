"""videomae: pretrain, fine-tune, evaluate, visualise and convert masked video autoencoders."""

__version__ = "0.1.0"
