"""Encoder, decoder, heads."""
