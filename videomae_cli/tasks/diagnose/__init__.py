"""Judge a run by its log: verdict and curves."""
