"""Data sets and annotation tools in which a row is a part of a file."""
