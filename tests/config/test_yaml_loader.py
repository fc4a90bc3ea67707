"""YAML is read by the rules of YAML 1.2; unsupported features are errors, never ignored."""

import pytest

from videomae_cli.config.yaml_loader import load
from videomae_cli.errors import RecipeError


@pytest.mark.parametrize(
    ("written", "expected"),
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
def test_a_scalar_has_the_type_of_yaml_1_2(written: str, expected: object) -> None:
    value = load(f"key: {written}\n", where="x.yaml")

    assert value == {"key": expected}
    assert type(value["key"]) is type(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: key a appears twice, first on line 1"),
        ("g:\n  a: 1\n  a: 1\n", "x.yaml:3: key a appears twice, first on line 2"),
        ("a: &x 1\nb: *x\n", "x.yaml:1: the anchor &x is not allowed in a recipe"),
        ("a: 1\nb: *x\n", "x.yaml:2: the alias *x is not allowed in a recipe"),
        ("a:\n  <<: {b: 1}\n", "x.yaml:2: the merge key << is not allowed in a recipe"),
        ("a: !!python/object:os.system 1\n", "x.yaml:1: the tag tag:yaml.org,2002:python"),
        ("a: 1\n---\nb: 1\n", "x.yaml:2: a second document is not allowed in a recipe"),
        ("? [a]\n: 1\n", "x.yaml:1: a key must be a word"),
        ("'<<': {b: 1}\n", "x.yaml:1: the merge key << is not allowed in a recipe"),
        ("a: ! 1\n", "x.yaml:1: the tag ! is not allowed in a recipe"),
        ("a: !!set {b, c}\n", "x.yaml:1: the tag tag:yaml.org,2002:set is not allowed"),
        ("&x a: 1\n", "x.yaml:1: the anchor &x is not allowed in a recipe"),
        ("a: {b: 1, b: 2}\n", "x.yaml:1: key b appears twice, first on line 1"),
        ("a: [1\nb: 2\n", "x.yaml:2: not valid YAML"),
        ("a: 1\n\tb: 2\n", "x.yaml:2: not valid YAML"),
        ("a: \x00\n", "x.yaml: not valid YAML"),
        ("", "x.yaml: empty"),
        ("# only a comment\n", "x.yaml: empty"),
        ("a: " + "[" * 50 + "]" * 50 + "\n", "x.yaml:1: more than 8 levels"),
        ("a: " + "[" * 5000 + "\n", "x.yaml:1: more than 8 levels"),
    ],
)
def test_an_unsupported_feature_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(text, where="x.yaml")

    assert caught.value.message.startswith(message)
