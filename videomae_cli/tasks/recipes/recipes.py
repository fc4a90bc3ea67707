"""`videomae recipes ls | show | cp`: what is shipped, one of them resolved, a copy. No torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.errors import RecipeError, UsageError

SUFFIXES = (".yaml", ".yml")
SCHEMA_LINE = "# yaml-language-server: $schema="


class Entry(NamedTuple):
    """One line of the list."""

    name: str
    kind: str
    family: str
    size: str
    data: str
    """What the recipe calls its data; empty for your own videos."""
    published: str
    """Top-1 with clips x crops, theirs; empty for none."""
    title: str


class Shown(NamedTuple):
    """A recipe as a run would use it."""

    file: Path
    comments: str
    """The lines at the top of the file."""
    recipe: Recipe

    def as_yaml(self) -> str:
        """Return header and resolved recipe as text that is a recipe again."""
        return self.comments + dump_recipe(self.recipe)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "file": str(self.file),
            "header": recipe_paths.read_header(self.file),
            "recipe": self.recipe.model_dump(mode="json"),
        }


def listing(text: str = "") -> list[Entry]:
    """List the built-in recipes with `text` in any column.

    Raises:
        RecipeError: There is none.
    """
    entries = [_entry(name) for name in recipe_paths.list_by_family()]
    found = [one for one in entries if any(text.lower() in cell.lower() for cell in one)]
    if not found:
        raise RecipeError(
            f"{text}: in no column of the list of recipes",
            "look for a part of a name, data set, size or family, such as ssv2, vitl or maest",
        )
    return found


def show(name_or_path: str, overrides: Sequence[str]) -> Shown:
    """Resolve a recipe with what `--set` changes.

    Raises:
        RecipeError: Not found, or with problems (all are listed).
    """
    recipe = load_recipe(name_or_path, overrides)
    file = recipe_paths.find_recipe(name_or_path)
    return Shown(file, _comments(file), recipe)


def copy(name_or_path: str, destination: Path | None, *, force: bool = False) -> Path:
    """Write a recipe file where it can be edited, and return where that is.

    Its first line, by which editors check keys, names our schema wherever the copy lies.

    Args:
        name_or_path: A built-in recipe, or a file.
        destination: A file, or a directory to put it in; None takes the working directory.
        force: Replace a file that is there.

    Raises:
        RecipeError: There is no such recipe.
        UsageError: The destination is in the way, or cannot be written.
    """
    source = recipe_paths.find_recipe(name_or_path)
    target = destination or Path(source.name)
    target = target / source.name if target.is_dir() else target
    if target.suffix not in SUFFIXES:
        raise UsageError(f"{target}: a recipe ends in .yaml", f"write {target}.yaml")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target}: this is the recipe itself", "give the copy another name")
    if target.exists() and not force:
        raise UsageError(f"{target}: is there already", "give another name, or replace it: --force")
    schema = recipe_paths.builtin_dir() / "schema.json"
    text = source.read_text(encoding="utf-8")
    text = text.replace(f"{SCHEMA_LINE}schema.json\n", f"{SCHEMA_LINE}{schema}\n", 1)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error
    return target


def _entry(name: str) -> Entry:
    recipe, said = load_recipe(name), recipe_paths.read_header(recipe_paths.find_recipe(name))
    return Entry(
        name,
        recipe.kind,
        recipe_paths.family_of(said),
        recipe.model.size,
        "" if recipe.data is None else recipe.data.name,
        recipe_paths.published_top1(said),
        said["Title"],
    )


def _comments(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return "".join(line for line in lines[:end] if not line.startswith(SCHEMA_LINE))
