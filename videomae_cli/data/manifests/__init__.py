"""Parts of `data/manifest.py` that are loaded when they are used."""
