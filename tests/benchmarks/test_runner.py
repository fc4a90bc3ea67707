"""What all benchmarks share: a busy machine is refused, sides run by turns, medians are right."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest


def machine() -> Any:
    return import_module("measuring.machine")


def runner() -> Any:
    return import_module("measuring.runner")


def test_a_machine_is_busy_if_other_programs_use_its_cores() -> None:
    reason = machine().busy_reason

    assert reason(0.0, 0.0, 2) == ""
    assert reason(0.1, None, 2) == ""
    assert "use 30% of its 2 cores" in reason(0.3, 0.0, 2)


def test_the_load_average_decides_only_where_cpu_times_are_not_known() -> None:
    reason = machine().busy_reason

    # the last benchmark has just ended
    assert reason(0.01, 2.0, 2) == ""
    assert "load average is 1.5 on 2 cores" in reason(None, 1.5, 2)
    assert reason(None, 0.9, 2) == ""
    assert reason(None, None, 2) == ""


def test_the_share_of_others_leaves_out_this_program() -> None:
    times = machine().CPUTimes
    start = times(busy=100.0, total=1000.0, own=5.0)

    # ten seconds of two cores: fifteen busy, eleven of them ours
    share = machine().other_share(start, times(busy=115.0, total=1020.0, own=16.0))

    assert share == pytest.approx(0.2)
    assert machine().other_share(None, start) is None
    assert machine().other_share(start, start) is None


def test_a_busy_machine_is_refused_with_a_sentence_and_its_own_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reason = machine().busy_reason(0.5, None, 4)

    with pytest.raises(SystemExit) as stopped:
        runner().refuse("step", reason)

    assert stopped.value.code == runner().BUSY == 75
    message = capsys.readouterr().err
    assert message.startswith("step: this machine is busy: other programs use 50% of its 4 cores")
    assert "--busy-ok" in message


def test_sides_run_by_turns_and_the_first_round_is_left_out() -> None:
    order: list[str] = []
    sides = {name: lambda name=name: order.append(name) or len(order) for name in ("a", "b")}

    rounds = runner().run_rounds(sides, 2)

    assert order == ["a", "b"] * 3
    assert rounds == {"a": [3, 5], "b": [4, 6]}


def test_the_json_has_medians_quartiles_and_the_direction_of_each_ratio(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    parser = runner().make_parser("doc", has_device=False)
    chosen = parser.parse_args(["--busy-ok", "--rounds", "3", "--json", str(file)])
    result = runner().Result("example", chosen, "torch", "no-such-package")
    result.add_sides({"ours": [1.0, 2.0, 4.0], "theirs": [3.0, 3.0, 6.0]})
    result.add_ratio("example", runner().quotients([3.0, 3.0, 6.0], [1.0, 2.0, 4.0]))
    result.add_ratio("memory", 0.5, "lower")

    result.finish()

    content = json.loads(file.read_text())
    assert content["sides"]["ours"] == {
        "median": 2.0,
        "spread": [1.5, 3.0],
        "unit": "s",
        "values": [1.0, 2.0, 4.0],
    }
    assert content["ratios"] == {"example": 1.5, "memory": 0.5}
    assert content["better"] == {"example": "higher", "memory": "lower"}
    assert content["spread"] == {"example": [1.5, 2.25]}
    assert content["settings"] == {"rounds": 3}
    assert content["versions"]["no-such-package"] is None
    assert {"processor", "cores", "memory_gb", "instruction_sets"} <= content["machine"].keys()
    assert {"average_before", "other_cpu_before", "other_cpu_during"} <= content["load"].keys()


def test_paths_in_the_settings_are_names_alone(tmp_path: Path) -> None:
    parser = runner().make_parser("doc", has_device=False)
    parser.add_argument("videos", nargs="+", type=Path)
    chosen = parser.parse_args([str(tmp_path / "a.mp4"), "--busy-ok"])

    result = runner().Result("example", chosen)

    assert result.content["settings"]["videos"] == ["a.mp4"]
