"""`videomae pretrain` and `videomae finetune`."""
