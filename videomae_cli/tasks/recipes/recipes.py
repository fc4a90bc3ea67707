"""`recipes ls`, `show` and `cp`: list recipes, resolve one, copy one. Imports no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.errors import RecipeError, UsageError

SUFFIXES = (".yaml", ".yml")
SCHEMA_LINE = "# yaml-language-server: $schema="


class RecipeSummary(NamedTuple):
    """One line of the list."""

    name: str
    kind: str
    family: str
    size: str
    data: str
    """Name of the data set in the recipe; empty for the user's own videos."""
    published: str
    """Published top-1 accuracy with clips x crops; empty if there is none."""
    title: str


class ResolvedRecipe(NamedTuple):
    """A recipe as a run uses it."""

    file: Path
    comments: str
    """The comment at the top of the file."""
    recipe: Recipe

    def as_yaml(self) -> str:
        """Return header and resolved recipe as the text of a recipe file."""
        return self.comments + dump_recipe(self.recipe)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "file": str(self.file),
            "header": recipe_paths.read_header(self.file),
            "recipe": self.recipe.model_dump(mode="json"),
        }


def list_recipes(text: str = "") -> list[RecipeSummary]:
    """List the built-in recipes that contain `text` in any column; a RecipeError if none does."""
    summaries = [_summarize(name) for name in recipe_paths.list_by_family()]
    matching = [one for one in summaries if any(text.lower() in cell.lower() for cell in one)]
    if not matching:
        raise RecipeError(
            f"{text}: no built-in recipe contains this text",
            "search for a part of a name, data set, size or family, such as ssv2, vitl or maest",
        )
    return matching


def resolve_recipe(name_or_path: str, overrides: Sequence[str]) -> ResolvedRecipe:
    """Load a recipe with the overrides of `--set`; errors are those of `load_recipe`."""
    recipe = load_recipe(name_or_path, overrides)
    file = recipe_paths.find_recipe(name_or_path)
    return ResolvedRecipe(file, _read_comments(file), recipe)


def copy_recipe(name_or_path: str, destination: Path | None, *, force: bool = False) -> Path:
    """Copy a recipe file to a file or directory, by default here; return the path of the copy.

    The first line of the copy, from which editors find the schema, gets the absolute path of the
    schema.

    Raises:
        RecipeError: There is no such recipe.
        UsageError: The destination exists, or cannot be written.
    """
    source = recipe_paths.find_recipe(name_or_path)
    target = destination or Path(source.name)
    target = target / source.name if target.is_dir() else target
    if target.suffix not in SUFFIXES:
        raise UsageError(f"{target}: the name of a recipe ends in .yaml", f"write {target}.yaml")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target}: this is the recipe itself", "give the copy another name")
    if target.exists() and not force:
        raise UsageError(f"{target}: already exists", "give another name, or replace it: --force")
    schema = recipe_paths.builtin_dir() / "schema.json"
    text = source.read_text(encoding="utf-8")
    text = text.replace(f"{SCHEMA_LINE}schema.json\n", f"{SCHEMA_LINE}{schema}\n", 1)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error
    return target


def _summarize(name: str) -> RecipeSummary:
    recipe = load_recipe(name)
    header = recipe_paths.read_header(recipe_paths.find_recipe(name))
    return RecipeSummary(
        name,
        recipe.kind,
        recipe_paths.family_of(header),
        recipe.model.size,
        "" if recipe.data is None else recipe.data.name,
        recipe_paths.published_top1(header),
        header["Title"],
    )


def _read_comments(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return "".join(line for line in lines[:end] if not line.startswith(SCHEMA_LINE))
