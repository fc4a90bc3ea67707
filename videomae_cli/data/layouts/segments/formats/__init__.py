"""Formats of annotation files: data sets as they are released, and exports of annotation tools."""
