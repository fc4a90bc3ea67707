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
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "videomae recipe",
    }
    return json.dumps(head | adapter.json_schema(), indent=1) + "\n"
