"""Recipes: strict models, strict YAML, overrides."""
