"""What every part of a recipe is made of.

Fields are numbers, text, choices, tuples and nested parts, nothing else. What never varies in the
literature has a default; what a paper chose is written out in the recipe.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0.0)]


class Spec(BaseModel):
    """A part of a recipe: frozen, strictly typed, and with no room for unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
