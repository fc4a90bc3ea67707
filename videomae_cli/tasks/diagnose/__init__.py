"""Diagnose a run from its logged metrics: verdict and curves."""
