"""`videomae recipes`, from the command line to what is printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from videomae_cli.cli.app import run
from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import load_recipe


def test_ls_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "ls", "ucf101-vitb"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 recipes; published: top-1 accuracy")
    assert lines[2].split() == [
        *("ucf101-vitb", "pretrain", "VideoMAE", "vitb", "ucf101", "91.3", "%", "(5", "x", "3)")
    ]


def test_ls_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "ls", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert sorted(row["name"] for row in rows) == list(recipe_paths.list_names())
    assert set(rows[0]) == {"name", "kind", "family", "size", "data", "published", "title"}


def test_show_prints_a_valid_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "show", "k400-vitb", "--set", "mask.ratio=0.75"]) == 0

    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out, encoding="utf-8")
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert recipe == load_recipe("k400-vitb", ["mask.ratio=0.75"])


def test_show_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "show", "k400-vitb-finetune", "--json"]) == 0

    resolved = json.loads(capsys.readouterr().out)
    assert resolved["header"]["Starts from"] == "k400-vitb"
    assert resolved["recipe"]["train"]["batch"] == 512


def test_cp_prints_the_next_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["recipes", "cp", "demo-finetune", "mine.yaml"]) == 0

    text = capsys.readouterr().out
    assert "videomae recipes check mine.yaml" in text
    assert "videomae finetune --recipe mine.yaml" in text
    assert load_recipe("mine.yaml") == load_recipe("demo-finetune")


def test_cp_onto_a_file_exits_with_2_and_names_the_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["recipes", "cp", "demo"]) == 0
    assert run(["recipes", "cp", "demo"]) == 2
    assert "--force" in capsys.readouterr().err
    assert run(["recipes", "cp", "demo", "--force"]) == 0


@pytest.mark.parametrize("verb", ["show", "cp", "check"])
def test_an_unknown_recipe_gets_a_suggestion(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", verb, "hmdb51-vitb-evrest"]) == 2

    text = capsys.readouterr().err
    assert "no built-in recipe of that name (did you mean 'hmdb51-vitb-everest'?)" in text
    assert "videomae recipes ls" in text


def test_a_filter_that_finds_nothing_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "ls", "imagenet"]) == 2
    assert "imagenet" in capsys.readouterr().err


def test_check_prints_parameters_of_a_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "check", "k400-vits"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("1 valid recipe; steps are per 1,000")
    assert "24.0 M" in out


def test_check_prints_json_and_exits_with_2_after_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: pretrain\nsed: 1\n", encoding="utf-8")

    assert run(["recipes", "check", "demo", str(broken), "--json"]) == 2

    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert [one["recipe"] for one in result["recipes"]] == ["demo"]
    assert len(result["problems"]) == 1
    assert "sed: unknown key" in captured.err


@pytest.mark.parametrize("line", [["ls"], ["show", "demo"], ["cp", "demo", "mine.yaml"]])
def test_nothing_but_check_needs_torch(line: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; from videomae_cli.cli.app import run; code = run(['recipes', *{line}]);"
        "print(code, 'torch' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "0 False"
