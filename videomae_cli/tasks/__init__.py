"""One story per command."""
