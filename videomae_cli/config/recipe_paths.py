"""Find recipe files and read their headers without reading YAML, to keep tab completion fast."""

import difflib
import re
from pathlib import Path

from videomae_cli.errors import RecipeError

HEADINGS = ("Reproduces", "Command", "Starts from", "Cost", "Expected", "Status", "Differs")
FAMILIES = ("VideoMAE", "VideoMAE V2", "MAE-ST", "EVEREST", "ours")
LS = "`videomae recipes ls` lists them"


def builtin_dir() -> Path:
    """Return the directory of the built-in recipes: inside a wheel, or in the source checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "builtin_recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def list_names(kind: str | None = None) -> tuple[str, ...]:
    """List the built-in recipes, all or those of one kind, in alphabetical order."""
    paths = sorted(builtin_dir().glob("*.yaml"), key=lambda path: path.stem)
    return tuple(path.stem for path in paths if kind is None or read_kind(path) == kind)


def list_by_family() -> tuple[str, ...]:
    """List the built-in recipes by family, each fine-tuning recipe after its pretraining recipe."""

    def order(name: str) -> tuple[int, str, str]:
        family = family_of(read_header(builtin_dir() / f"{name}.yaml"))
        return FAMILIES.index(family), name.removesuffix("-finetune"), name

    return tuple(sorted(list_names(), key=order))


def read_title(name: str) -> str:
    """Return the first line of a built-in recipe's header."""
    return read_header(builtin_dir() / f"{name}.yaml").get("Title", "")


def read_header(path: Path) -> dict[str, str]:
    """Return the comment at the top of a recipe by heading: `Title` and each of `HEADINGS`."""
    header: dict[str, str] = {}
    heading = "Title"
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line[1:].strip()
        word, colon, rest = text.partition(":")
        if colon and word in HEADINGS:
            heading, text = word, rest.strip()
        if text and not text.startswith("yaml-language-server:"):
            header[heading] = f"{header[heading]} {text}" if heading in header else text
    return header


def family_of(header: dict[str, str]) -> str:
    """Return the method that a recipe reproduces, the first words of `Reproduces`, or `ours`."""
    name, is_cited, _ = header.get("Reproduces", "").partition(" (arXiv")
    return name if is_cited else FAMILIES[-1]


def published_top1(header: dict[str, str]) -> str:
    """Return the published accuracy with clips x crops, as `80.0 % (5 x 3)`; empty if none is."""
    match = re.search(r"(\d+\.\d %) top-1(?:.*?(\d+ x \d+) views)?", header.get("Expected", ""))
    if match is None:
        return ""
    accuracy, views = match.groups()
    return f"{accuracy} ({views})" if views else accuracy


def read_kind(path: Path) -> str | None:
    """Return the kind of a recipe file, `pretrain` or `finetune`, without reading its YAML."""
    match = re.search(r"^kind:\s*(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return match.group(1) if match else None


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a built-in recipe, or the file at a path.

    Text that ends in `.yaml` or `.yml`, or contains a slash, is a path; anything else is a name.

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
        raise RecipeError(
            f"{path}: no such recipe file", f"for a built-in recipe give its name; {LS}"
        )
    close = difflib.get_close_matches(name_or_path, list_names(), n=1)
    guess = f" (did you mean '{close[0]}'?)" if close else ""
    raise RecipeError(
        f"{name_or_path}: no built-in recipe of that name{guess}",
        f"{LS}; for a file of your own give its path, which ends in .yaml",
    )
