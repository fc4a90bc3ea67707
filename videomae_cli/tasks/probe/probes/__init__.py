"""Probes: simple models that are fitted to the features of a frozen encoder."""
