"""Decode what `data/decode.py` reads: one file per kind of source, loaded when it is used."""
