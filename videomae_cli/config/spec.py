"""The base class of all sections of a recipe, and the number types of their fields.

Fields are numbers, text, choices, tuples and nested sections, nothing else. A value that is the
same in all publications has a default; every other value must be written in the recipe.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Pydantic reads only text that UTF-8 can encode. Bytes of file names that are not UTF-8, which are
# lone surrogates in Python, therefore pass through it as characters for private use.
STAND_INS = {0xDC00 + byte: 0x10FC00 + byte for byte in range(0x80, 0x100)}
_ORIGINALS = {stand_in: original for original, stand_in in STAND_INS.items()}


def _restore(text: str) -> str:
    return text.translate(_ORIGINALS)


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
PathText = Annotated[str, AfterValidator(_restore)]
FilePath = Annotated[Path, AfterValidator(lambda path: Path(_restore(str(path))))]
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
