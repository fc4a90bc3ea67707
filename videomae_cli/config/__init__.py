"""Recipes: their keys and checks, the YAML reader, overrides; and the model configuration."""
