"""Probes of frozen features, shortcut baselines, and label curves."""
