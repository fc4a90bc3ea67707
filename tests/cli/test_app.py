"""The command line: fast help, exit codes, and errors in one sentence."""

import errno
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from videomae_cli import __version__
from videomae_cli.cli import app as app_module
from videomae_cli.cli.app import app, run
from videomae_cli.data.manifest import Video, write_manifest
from videomae_cli.errors import (
    CheckpointError,
    DataError,
    RecipeError,
    Stopped,
    TrainingError,
    UsageError,
    VideoMAEError,
    convert_os_error,
)

HEAVY = (
    *("torch", "pydantic", "yaml", "numpy", "decord", "av", "timm", "accelerate", "matplotlib"),
    *("rich", "pygments"),
)
COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
COMMANDS |= {
    f"{group} {name}": command
    for group, its in COMMANDS.items()
    for name, command in vars(its).get("commands", {}).items()
}
MAX_FLAGS = 13
LONG = "n" * 300


def in_a_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("line", "exit_code"),
    [
        (["pretrain", "--recipe", "k400-vitb"], 3),
        (["finetune", "--recipe", "k400-vitb-finetune"], 3),
        (["pretrain", "--recipe", "k400-vitz"], 2),
        (["pretrain", "--recipe", "k400-vitb", "--set", "optim.rate=1"], 2),
        (["pretrain", "--recipe", "k400-vitb", "--data", "DATA", "--checkpoint", "no.pth"], 4),
        (["finetune", "--recipe", "k400-vitb-finetune", "--data", "DATA"], 4),
        (["pretrain", "--recipe", "k400-vitb", "--data", "DATA", "--fork"], 2),
    ],
)
def test_a_start_that_must_be_refused_is_refused_before_torch_is_imported(
    tmp_path: Path, line: list[str], exit_code: int
) -> None:
    video = Video("a.mp4", 0, "train", 64, 25.0, 340, 256, "pyav")
    write_manifest(tmp_path / "data", root=tmp_path, videos=[video], classes=["a"], facts={})
    line = [str(tmp_path / "data") if word == "DATA" else word for word in line]
    code = (
        f"import os, sys; os.chdir({str(tmp_path)!r}); from videomae_cli.cli.app import run;"
        f"print(run({line}), 'torch' in sys.modules)"
    )

    assert in_a_process(code) == f"{exit_code} False"


def test_training_imports_neither_timm_nor_what_shards_a_model() -> None:
    libraries = ("timm", "torchvision", "torch.distributed.fsdp", "torch._dynamo")
    code = (
        "import sys; import videomae_cli.tasks.train.pretrain, videomae_cli.models.classifier;"
        f"print([name for name in {libraries} if name in sys.modules])"
    )

    assert in_a_process(code) == "[]"


def test_only_what_was_imported_is_kept_from_the_garbage_collector() -> None:
    code = (
        "import gc; from videomae_cli.cli.training import recipe_options as options;"
        "options.exempt_imports_from_collection(); first = gc.get_freeze_count();"
        "later = [[] for _ in range(100)]; options.exempt_imports_from_collection();"
        "print(first > 1000, gc.get_freeze_count() <= first)"
    )

    assert in_a_process(code) == "True True"


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        (["--help"], []),
        (["--version"], []),
        (["pretrain", "--help"], []),
        (["recipes", "ls", "--help"], ["pydantic"]),  # typer parses a group's values with it
    ],
)
def test_help_imports_no_heavy_library(line: list[str], allowed: list[str]) -> None:
    code = (
        f"import io, sys; from videomae_cli.cli.app import run; stdout = sys.stdout;"
        f"sys.stdout = io.StringIO(); code = run({line}); sys.stdout = stdout;"
        f"print(code, [name for name in {HEAVY} if name in sys.modules and name not in {allowed}])"
    )

    assert in_a_process(code) == "0 []"


def test_at_exit_all_objects_are_collected_again() -> None:
    code = (
        "import atexit, gc; from videomae_cli.cli.training import recipe_options as options;"
        "atexit.register(lambda: print(gc.get_freeze_count()));"  # called last
        "options.exempt_imports_from_collection(); print(gc.get_freeze_count() > 1000)"
    )

    assert in_a_process(code).split() == ["True", "0"]


def test_the_help_of_a_command_alone_is_that_within_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    different = []
    for name in ("pretrain", "eval", "visualize-mask", "convert", "prepare", "demo"):
        assert run([name, "-h"]) == 0
        alone = capsys.readouterr().out
        with pytest.raises(SystemExit):
            app(args=[name, "-h"], prog_name="videomae")
        if not alone or alone != capsys.readouterr().out:
            different.append(name)

    assert different == []


def test_help_takes_little_more_time_than_its_library() -> None:
    ours = ["-m", "videomae_cli", "--help"]
    library = ["-c", "import typer, typer.testing, typer.core"]
    seconds = [(_cpu_seconds(ours), _cpu_seconds(library)) for _ in range(5)]
    total, base = (statistics.median(column) for column in zip(*seconds, strict=True))

    assert total < 2 * base  # it was 0.08 s more; torch alone would make it 20 times as long


def _cpu_seconds(arguments: list[str]) -> float:
    before = os.times()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (
        after.children_user - before.children_user + after.children_system - before.children_system
    )


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"videomae {__version__}\n"


@pytest.mark.parametrize(
    "line",
    [
        ["prepare", LONG, "--out", "data"],
        ["pretrain", "--recipe", f"{LONG}.yaml"],
        ["pretrain", "--recipe", "demo", "--data", LONG],
        ["eval", "--checkpoint", LONG],
        ["convert", LONG, "out.pth", "--to", "v1"],
        ["visualize-mask", f"{LONG}.mp4"],
        ["demo", "--quick", "--out", LONG],
        ["recipes", "show", LONG],
        ["recipes", "cp", "demo", LONG],
    ],
    ids=lambda line: " ".join(word.replace(LONG, "LONG") for word in line),
)
def test_a_path_that_the_system_refuses_is_a_user_error(
    line: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(line) == 2
    error = capsys.readouterr().err
    assert LONG in error
    assert "File name too long" in error and "hint: check the permissions of this path" in error
    assert not list(tmp_path.iterdir())


def test_any_other_system_error_may_be_a_bug() -> None:
    assert convert_os_error(OSError(errno.EACCES, "Permission denied")) is None  # of what?
    assert convert_os_error(FileNotFoundError(errno.ENOENT, "No such file", "a")) is None
    problem = convert_os_error(
        PermissionError(errno.EACCES, "Permission denied", "locked/clip.mp4")
    )
    assert isinstance(problem, UsageError) and "locked/clip.mp4: Permission" in problem.message


def test_a_line_without_a_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2

    captured = capsys.readouterr()
    assert "visualize-mask" in captured.out + captured.err


def test_every_command_has_help_with_two_examples(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {}
    for name in COMMANDS:
        assert run([*name.split(), "--help"]) == 0
        counts[name] = capsys.readouterr().out.count(f"videomae {name}")

    # usage and two examples
    assert {name: count for name, count in counts.items() if count < 3} == {}


def test_help_fits_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    faults = []
    for name in ("", *COMMANDS):
        assert run([*name.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        if "..." in re.sub(r"(\[ARGS|\[INPUTS|\|FILE)\]\.\.\.", "", shown):
            faults.append(f"videomae {name}: a text is cut short")
        if max(map(len, shown.splitlines())) > 80:
            faults.append(f"videomae {name}: a line is longer than 80 columns")
        help_text = COMMANDS[name].help if name else ""
        for example in re.findall(r"^ *(videomae .*)$", help_text, re.MULTILINE):
            if f"    {example}\n" not in shown:
                faults.append(f"videomae {name}: the example is broken into two lines: {example}")

    assert faults == []


def test_a_command_has_at_most_thirteen_visible_flags() -> None:
    counts = {
        name: sum(one.param_type_name == "option" and not one.hidden for one in command.params)
        for name, command in COMMANDS.items()
    }

    # what a list may say has no other place: three columns, an encoding, and what its labels are;
    # scores come and go in the formats of other software, and have their baselines; features are
    # described by level, pooling, layer and format, have the views of eval and the windows of
    # predict, and three flags use them once they are there; prepare, predict and features are
    # shared by jobs and clusters, which takes two flags
    many = {name: count for name, count in counts.items() if count > MAX_FLAGS}
    assert many == {"prepare": 28, "eval": 21, "predict": 15, "features": 21}


def test_only_deprecated_flags_are_hidden() -> None:
    hidden = {
        f"{name} {one.opts[0]}": one.help
        for name, command in COMMANDS.items()
        for one in command.params
        if getattr(one, "hidden", False)
    }

    assert hidden == {"pretrain --report": "Deprecated; use: videomae report RUN"}


def test_no_help_text_is_eaten_as_markup() -> None:
    texts = [
        f"{name}: {text}"
        for name, command in COMMANDS.items()
        for one in command.params
        if "[" in (text := getattr(one, "help", None) or "")
    ]

    assert texts == []


def test_the_same_flag_means_the_same_everywhere() -> None:
    shared = {"--recipe", "--set", "--resume", "--devices", "--json", "--dry-run"}
    helps: dict[str, set[str]] = {flag: set() for flag in shared}
    for command in COMMANDS.values():
        for one in command.params:
            for flag in shared.intersection(one.opts):
                helps[flag].add(one.help)

    assert {flag: texts for flag, texts in helps.items() if len(texts) > 1} == {}


@pytest.mark.parametrize(
    "line", [["nope"], ["pretrain", "--nope"], ["eval", "--clips", "0"], ["eval", "--clips", "x"]]
)
def test_a_command_line_that_cannot_be_parsed_exits_with_2(line: list[str]) -> None:
    assert run(line) == 2


def failing_app(error: BaseException) -> typer.Typer:
    failing = typer.Typer(pretty_exceptions_enable=False)

    @failing.command()
    def fail() -> None:
        raise error

    return failing


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such thing", "do this"), 2),
        (RecipeError("r.yaml: epocs: unknown key"), 2),
        (DataError("a.mp4: truncated"), 3),
        (CheckpointError("x.pth: 3 tensors missing"), 4),
        (TrainingError("loss is nan at step 7"), 5),
        (Stopped("saved at step 7"), 75),
        (Stopped("saved at step 7", exit_code=130), 130),
        (KeyboardInterrupt(), 130),
        (typer.Exit(7), 7),
        (SystemExit("text"), 1),
    ],
)
def test_each_error_has_its_exit_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(app_module, "app", failing_app(error))

    assert run([]) == code

    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    if isinstance(error, VideoMAEError):
        assert error.message in printed
        assert error.hint in printed


@pytest.mark.parametrize("line", [["--debug"], []])
def test_debug_adds_a_traceback(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app_module, "app", failing_app(DataError("a.mp4: truncated")))

    run(line)

    printed = capsys.readouterr().err
    assert ("Traceback" in printed) == (line == ["--debug"])
    assert printed.endswith("error: a.mp4: truncated\n")


def test_a_bug_of_ours_keeps_its_traceback_and_asks_for_a_report() -> None:
    code = (
        "from videomae_cli.cli import app as module; import typer;"
        "broken = typer.Typer(pretty_exceptions_enable=False);"
        "broken.command()(lambda: 1 / 0); module.app = broken; module.main()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("This is a bug in videomae")


def test_a_recipe_with_mistakes_lists_them_all_and_exits_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = ["pretrain", "--recipe", "k400-vitb", "--set", "epocs=3", "--set", "optim.betas=[0.9]"]

    assert run(line) == 2

    printed = capsys.readouterr().err
    assert "--set epocs: unknown key (did you mean 'schedule.epochs'?)" in printed
    assert "--set optim.betas: expected 2 values, got 1" in printed


def test_a_finetune_recipe_given_to_pretrain_names_the_right_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["pretrain", "--recipe", "k400-vitb-finetune"]) == 2
    assert "use `videomae finetune`" in capsys.readouterr().err


def test_pretraining_without_prepared_data_says_what_to_prepare_and_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["pretrain", "--recipe", "k400-vitb"]) == 3

    printed = capsys.readouterr().err
    assert "data/k400" in printed
    assert "videomae prepare" in printed
    assert list(tmp_path.iterdir()) == []


def test_the_program_runs_as_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "videomae_cli", "--version"], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (0, f"videomae {__version__}\n")
