"""Metrics of single-label, multi-label and regression tasks, with intervals."""
