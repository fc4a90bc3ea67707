"""Where recipes are, by name or by path. Reads no YAML, so that tab completion stays quick."""

import difflib
import re
from pathlib import Path

from videomae_cli.errors import RecipeError

HEADINGS = ("Reproduces", "Command", "Starts from", "Cost", "Expected", "Status", "Differs")
FAMILIES = ("VideoMAE", "VideoMAE V2", "MAE-ST", "EVEREST", "ours")
LS = "`videomae recipes ls` lists them"


def builtin_dir() -> Path:
    """Return the folder of built-in recipes: inside an installed wheel, else beside the package."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "builtin_recipes"
    return shipped if shipped.is_dir() else package.parent / "recipes"


def names(kind: str | None = None) -> tuple[str, ...]:
    """List the built-in recipes, all or those of one `kind`, in alphabetical order."""
    paths = sorted(builtin_dir().glob("*.yaml"), key=lambda path: path.stem)
    return tuple(path.stem for path in paths if kind is None or kind_of(path) == kind)


def listed() -> tuple[str, ...]:
    """List the built-in recipes for people: by family, each fine-tuning after its pretraining."""
    by_family = {name: family(header(builtin_dir() / f"{name}.yaml")) for name in names()}
    return tuple(
        sorted(
            by_family,
            key=lambda name: (
                FAMILIES.index(by_family[name]),
                name.removesuffix("-finetune"),
                name,
            ),
        )
    )


def title(name: str) -> str:
    """Return the first line of a built-in recipe's header: what it is."""
    return header(builtin_dir() / f"{name}.yaml").get("Title", "")


def header(path: Path) -> dict[str, str]:
    """Return what the comment at the top of a recipe says: `Title`, and each of `HEADINGS`."""
    said: dict[str, str] = {}
    heading = "Title"
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line[1:].strip()
        word, colon, rest = text.partition(":")
        if colon and word in HEADINGS:
            heading, text = word, rest.strip()
        if text and not text.startswith("yaml-language-server:"):
            said[heading] = f"{said[heading]} {text}" if heading in said else text
    return said


def family(said: dict[str, str]) -> str:
    """Return whose numbers a header says these are: the first words of `Reproduces`, or `ours`."""
    name, is_cited, _ = said.get("Reproduces", "").partition(" (arXiv")
    return name if is_cited else FAMILIES[-1]


def published(said: dict[str, str]) -> str:
    """Return a header's number with clips x crops, as `80.0 % (5 x 3)`; empty if it has none."""
    found = re.search(r"(\d+\.\d %) top-1(?:.*?(\d+ x \d+) views)?", said.get("Expected", ""))
    if found is None:
        return ""
    number, views = found.groups()
    return f"{number} ({views})" if views else number


def kind_of(path: Path) -> str | None:
    """Return what a recipe file is for, without reading its YAML: `pretrain` or `finetune`."""
    found = re.search(r"^kind:\s*(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else None


def find(name_or_path: str) -> Path:
    """Return the file of a built-in recipe, or the file at a path.

    Text that ends in `.yaml` or `.yml`, or holds a slash, is a path; anything else is a name.

    Raises:
        RecipeError: There is no such file, or no such name.
    """
    is_path = Path(name_or_path).suffix in (".yaml", ".yml") or Path(name_or_path).name != (
        name_or_path
    )
    path = Path(name_or_path) if is_path else builtin_dir() / f"{name_or_path}.yaml"
    if path.is_file():
        return path
    if is_path:
        raise RecipeError(f"{path}: no such recipe file", f"for a built-in one give its name; {LS}")
    close = difflib.get_close_matches(name_or_path, names(), n=1)
    guess = f" (did you mean '{close[0]}'?)" if close else ""
    raise RecipeError(
        f"{name_or_path}: no built-in recipe of that name{guess}",
        f"{LS}; for a file of your own write its path, with .yaml",
    )
