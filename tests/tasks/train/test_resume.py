from pathlib import Path

import pytest

from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.errors import TrainingError
from videomae_cli.tasks.train.resume import identity, require_same_recipe

# of k400-vitb before recipes had clip.short
OLD_DIGEST = "4a5de0486863023bb8220680a077c6d2d45b1fab04323f966ba7a5e003cc1287"


def test_a_run_from_before_a_key_existed_has_its_default(tmp_path: Path) -> None:
    recipe = load_recipe("k400-vitb", [], "pretrain")
    held = tmp_path / "recipe.yaml"
    held.write_text(dump_recipe(recipe).replace("  shard: false\n", ""))
    assert "shard" not in held.read_text()

    require_same_recipe(held, recipe)
    sharded = load_recipe("k400-vitb", ["train.shard=true"], "pretrain")
    with pytest.raises(TrainingError, match=r"other values of train\.shard"):
        require_same_recipe(held, sharded)


def test_the_digest_is_of_what_is_no_default() -> None:
    plain, said, other = (
        load_recipe("k400-vitb", [change], "pretrain")
        for change in ("train.keep=9", "train.shard=false", "train.shard=true")
    )
    digests = [
        identity(recipe, data="", decoders="", precision="fp32")["recipe"]
        for recipe in (plain, said, other)
    ]
    assert digests[0] == digests[1] != digests[2]


def run_written_before_clip_short(folder: Path, name: str) -> Path:
    """Return the recipe.yaml of a run of a version that knew no clip.short."""
    lines = dump_recipe(load_recipe(name)).splitlines(keepends=True)
    (folder / "environment.json").write_text("{}")
    (folder / "recipe.yaml").write_text("".join(x for x in lines if "short:" not in x))
    return folder / "recipe.yaml"


@pytest.mark.parametrize("name", ["k400-vitb", "small-data-vits-finetune"])
def test_a_run_from_before_clip_short_keeps_the_rules_of_v1(name: str, tmp_path: Path) -> None:
    old = run_written_before_clip_short(tmp_path, name)

    resumed = load_recipe(str(old))

    assert resumed.clip.short == "videomae-v1"
    require_same_recipe(old, resumed)
    spread = load_recipe(str(old), ["clip.short=spread"])
    assert spread.clip.short == "spread"
    with pytest.raises(TrainingError, match=r"other values of clip\.short"):
        require_same_recipe(old, spread)


def test_a_recipe_that_no_run_wrote_has_the_default_of_clip_short(tmp_path: Path) -> None:
    old = run_written_before_clip_short(tmp_path, "k400-vitb")
    copy = old.rename(tmp_path / "mine.yaml")

    assert load_recipe(str(copy)).clip.short == "spread"


def test_the_digest_has_clip_short_unless_it_is_the_rule_of_older_runs(tmp_path: Path) -> None:
    old = load_recipe(str(run_written_before_clip_short(tmp_path, "k400-vitb")))
    recipes = [
        old,
        load_recipe("k400-vitb"),
        *(load_recipe("k400-vitb", [f"clip.short={rule}"]) for rule in ("spread", "loop")),
    ]
    digests = [
        identity(recipe, data="", decoders="", precision="fp32")["recipe"] for recipe in recipes
    ]

    assert digests[0] == digests[1] and len(set(digests)) == 3
    assert digests[0] == OLD_DIGEST
