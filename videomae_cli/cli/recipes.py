"""`videomae recipes` and its four subcommands."""

from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.cli.options import DataOption, JsonOption, SetOption, complete_recipe

app = typer.Typer(no_args_is_help=True)
RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE",
        help="Name of a built-in recipe, or a YAML file.",
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
        str, typer.Argument(metavar="TEXT", help="Only recipes with this text in a column.")
    ] = "",
    json_output: JsonOption = False,
) -> None:
    """List the built-in recipes with their published accuracies.

    Examples:

      videomae recipes ls

      videomae recipes ls "VideoMAE V2"
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.recipes import recipes as task

    recipes = task.list_recipes(text)
    if json_output:
        console.print_json([one._asdict() for one in recipes])
        return
    columns = ("name", "kind", "family", "size", "data", "published")
    count = f"{len(recipes)} recipe{'s' if len(recipes) > 1 else ''}"
    title = f"{count}; published: top-1 accuracy of the authors (clips x crops)"
    console.make_report().table(title, columns, [one[: len(columns)] for one in recipes])


@app.command()
def show(
    recipe: RecipeArgument, changes: SetOption = None, json_output: JsonOption = False
) -> None:
    """Print a recipe with all its keys, as a run would use it.

    Examples:

      videomae recipes show k400-vitb

      videomae recipes show k400-vitb --set mask.ratio=0.75
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.recipes import recipes as task

    resolved = task.resolve_recipe(recipe, changes or [])
    if json_output:
        console.print_json(resolved.as_json())
    else:
        console.print_text(resolved.as_yaml().rstrip())


@app.command()
def cp(
    recipe: RecipeArgument,
    destination: Annotated[
        Path | None,
        typer.Argument(
            metavar="DEST", help="A .yaml file, or a directory.", show_default="./NAME.yaml"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Copy a recipe to a file that you can edit.

    Examples:

      videomae recipes cp k400-vitb

      videomae recipes cp small-data-vits mine.yaml
    """
    from videomae_cli.cli import console
    from videomae_cli.config.recipe_paths import read_kind
    from videomae_cli.tasks.recipes import recipes as task

    file = task.copy_recipe(recipe, destination, force=force)
    report = console.make_report()
    report.say(f"wrote {file}; edit it, then run")
    report.say(f"  videomae recipes check {file}")
    report.say(f"  videomae {read_kind(file)} --recipe {file}")


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
    data: DataOption = None,
    json_output: JsonOption = False,
) -> None:
    """Check recipes, and build their models without allocating memory.

    Prints parameters, tokens and steps of each recipe. All problems are reported at once. With
    --data the steps are for these videos, and the last lines say where to start with so many on
    this machine: from published weights, or with pretraining. Short runs of small models with
    settings that learned nothing where we measured them are warned of.

    Examples:

      videomae recipes check

      videomae recipes check mine.yaml

      videomae recipes check small-data-vits --data data/mine
    """
    from videomae_cli.cli import console
    from videomae_cli.errors import RecipeError
    from videomae_cli.tasks.recipes import check as task

    report = console.make_report(json_output=json_output)
    result = task.check_recipes(recipes or [], report, data=data)
    if json_output:
        console.print_json(result.as_json())
    if result.problems:
        raise RecipeError("\n".join(result.problems))
