"""The base class of all sections of a recipe, and the number types of their fields.

Fields are numbers, text, choices, tuples and nested sections, nothing else. A value that is the
same in all publications has a default; every other value must be written in the recipe.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0.0)]


class Spec(BaseModel):
    """A section of a recipe: immutable, strictly typed; unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
