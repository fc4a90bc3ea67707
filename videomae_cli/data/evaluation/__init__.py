"""Test views: which frames and crops of a video a model is evaluated on."""
