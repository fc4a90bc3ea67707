"""`videomae recipes`, with its own four commands."""

from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.cli.options import JsonOption, SetOption, complete_recipe

app = typer.Typer(no_args_is_help=True)
RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE",
        help="Built-in recipe by name, or a YAML file.",
        autocompletion=complete_recipe,
    ),
]


@app.callback()
def recipes() -> None:
    """List, show, copy and check recipes.

    Examples:

      videomae recipes ls ssv2

      videomae recipes cp k400-vitb mine.yaml
    """


@app.command("ls")
def list_recipes(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="Only those with this in any column.")
    ] = "",
    json_output: JsonOption = False,
) -> None:
    """List the built-in recipes with the number their authors published.

    Examples:

      videomae recipes ls

      videomae recipes ls "VideoMAE V2"
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.recipes import recipes as task

    entries = task.listing(text)
    if json_output:
        console.print_json([one._asdict() for one in entries])
        return
    columns = ("name", "kind", "family", "size", "data", "published")
    count = f"{len(entries)} recipe{'s' if len(entries) > 1 else ''}"
    title = f"{count}; published is their authors' top-1, over clips x crops"
    console.report().table(title, columns, [one[: len(columns)] for one in entries])


@app.command()
def show(
    recipe: RecipeArgument, changes: SetOption = None, json_output: JsonOption = False
) -> None:
    """Print a recipe as a run would use it: every key, changes included.

    Examples:

      videomae recipes show k400-vitb

      videomae recipes show k400-vitb --set mask.ratio=0.75
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.recipes import recipes as task

    shown = task.show(recipe, changes or [])
    if json_output:
        console.print_json(shown.as_json())
    else:
        console.print_text(shown.as_yaml().rstrip())


@app.command()
def cp(
    recipe: RecipeArgument,
    destination: Annotated[
        Path | None,
        typer.Argument(
            metavar="DEST", help="A .yaml file, or a directory.", show_default="here, same name"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what DEST holds.")] = False,
) -> None:
    """Copy a recipe, to edit it.

    Examples:

      videomae recipes cp k400-vitb

      videomae recipes cp small-data-vits mine.yaml
    """
    from videomae_cli.cli import console
    from videomae_cli.config import recipe_paths
    from videomae_cli.tasks.recipes import recipes as task

    file = task.copy(recipe, destination, force=force)
    report = console.report()
    report.say(f"wrote {file}; edit it, then")
    report.say(f"  videomae recipes check {file}")
    report.say(f"  videomae {recipe_paths.read_kind(file)} --recipe {file}")


@app.command()
def check(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|FILE",
            help="Recipes to check.",
            show_default="all built-in ones",
            autocompletion=complete_recipe,
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Check keys and values, and build the models without memory.

    Says what each model comes to. Reports all problems, not the first alone.

    Examples:

      videomae recipes check

      videomae recipes check mine.yaml
    """
    from videomae_cli.cli import console
    from videomae_cli.errors import RecipeError
    from videomae_cli.tasks.recipes import check as task

    result = task.run(recipes or [], console.report(json_output=json_output))
    if json_output:
        console.print_json(result.as_json())
    if result.problems:
        raise RecipeError("\n".join(result.problems))
