"""The JSON Schema of a recipe, with which editors complete and check recipe files."""

import json
from typing import Annotated

from pydantic import Field, TypeAdapter

from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe


def recipe_schema() -> str:
    """Return the schema of both kinds of recipe as JSON text; `kind` decides which one applies."""
    adapter: TypeAdapter[PretrainRecipe | FinetuneRecipe] = TypeAdapter(
        Annotated[PretrainRecipe | FinetuneRecipe, Field(discriminator="kind")]
    )
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "videomae recipe",
        **adapter.json_schema(),
    }
    return json.dumps(schema, indent=1) + "\n"
