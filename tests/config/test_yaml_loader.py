"""YAML's traps are closed, and nothing is dropped in silence."""

import pytest

from videomae_cli.config import yaml_loader as yaml_strict
from videomae_cli.errors import RecipeError


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("3e-4", 3e-4),
        ("1.5e-4", 1.5e-4),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.5", -0.5),
        ("0", 0),
        ("-12", -12),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("off", "off"),
        ("yes", "yes"),
        ("on", "on"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("16:9", "16:9"),
        ("2026-01-14", "2026-01-14"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("9" * 400, "9" * 400),
        ("'3'", "3"),
        ('"true"', "true"),
        ("[1, 2.0, off]", [1, 2.0, "off"]),
    ],
)
def test_a_word_means_what_it_looks_like(written: str, meant: object) -> None:
    value = yaml_strict.load(f"key: {written}\n", where="x.yaml")

    assert value == {"key": meant}
    assert type(value["key"]) is type(meant)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: a is given twice, first on line 1"),
        ("g:\n  a: 1\n  a: 1\n", "x.yaml:3: a is given twice, first on line 2"),
        ("a: &x 1\nb: *x\n", "x.yaml:1: the anchor &x has no place in a recipe"),
        ("a: 1\nb: *x\n", "x.yaml:2: the alias *x has no place in a recipe"),
        ("a:\n  <<: {b: 1}\n", "x.yaml:2: the merge key << has no place in a recipe"),
        ("a: !!python/object:os.system 1\n", "x.yaml:1: the tag tag:yaml.org,2002:python"),
        ("a: 1\n---\nb: 1\n", "x.yaml:2: a second document has no place in a recipe"),
        ("? [a]\n: 1\n", "x.yaml:1: a key must be a word"),
        ("a: [1\nb: 2\n", "x.yaml:2: not valid YAML"),
        ("a: 1\n\tb: 2\n", "x.yaml:2: not valid YAML"),
        ("a: \x00\n", "x.yaml: not valid YAML"),
        ("", "x.yaml: empty"),
        ("# only a comment\n", "x.yaml: empty"),
        ("a: " + "[" * 50 + "]" * 50 + "\n", "x.yaml:1: more than 8 levels"),
        ("a: " + "[" * 5000 + "\n", "x.yaml:1: more than 8 levels"),
    ],
)
def test_what_a_recipe_has_no_use_for_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        yaml_strict.load(text, where="x.yaml")

    assert caught.value.message.startswith(message)
