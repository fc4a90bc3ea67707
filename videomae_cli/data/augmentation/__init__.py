"""RandAugment for whole clips, with the pixels of timm on Pillow, and channel mixing."""
