from pathlib import Path

import pytest

from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.errors import TrainingError
from videomae_cli.tasks.train.resume import identity, require_same_recipe


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
