"""Processes of one run: launching, sharding, signals, locks."""
