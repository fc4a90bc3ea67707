"""Masking strategies."""
