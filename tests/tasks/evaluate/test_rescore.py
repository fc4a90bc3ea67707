"""`videomae eval --from`: the task and the class names are those of the file."""

from pathlib import Path

import numpy as np
import pytest

from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.evaluate.rescore import RescoreOptions, rescore


def write_scores(folder: Path, target: list[list[float]], kind: str) -> Path:
    path = folder / "scores.npz"
    output_VK = np.array([[0.9, 0.2], [0.1, 0.6], [0.8, 0.4]], dtype=np.float32)
    np.savez(path, target=np.array(target), classes=np.array(["jump", "run"]), **{kind: output_VK})
    return path


@pytest.mark.parametrize(
    ("kind", "task"), [("output", "regression"), ("probability", "multi-label")]
)
def test_targets_of_0_and_1_are_values_if_the_scores_are(
    tmp_path: Path, kind: str, task: str
) -> None:
    path = write_scores(tmp_path, [[1, 0], [0, 1], [1, 0]], kind)

    result = rescore(path, Notes(), RescoreOptions())

    assert result.task == task
    assert ("mae" in result.metrics) == (task == "regression")


@pytest.mark.parametrize("target", [[[1, 0, 0]] * 3, [0.0, 1.5, 1.0]])
def test_targets_that_do_not_fit_the_scores_are_refused(
    tmp_path: Path, target: list[list[float]]
) -> None:
    path = write_scores(tmp_path, target, "probability")

    with pytest.raises(DataError, match="do not fit each other"):
        rescore(path, Notes(), RescoreOptions())


@pytest.mark.parametrize("names", ["run\njump\n", "jump\nwalk\n"])
def test_a_label_map_of_other_classes_than_those_of_the_file_is_refused(
    tmp_path: Path, names: str
) -> None:
    path, label_map = write_scores(tmp_path, [[1, 0]] * 3, "probability"), tmp_path / "names.txt"
    label_map.write_text(names)

    with pytest.raises(DataError, match=r"names\.txt names class \d '\w+', but .*scores\.npz"):
        rescore(path, Notes(), RescoreOptions(label_map=label_map))

    label_map.write_text("Jump\nRun\n")
    assert rescore(path, Notes(), RescoreOptions(label_map=label_map)).videos == 3


@pytest.mark.parametrize(
    "flags",
    [
        ["--checkpoint", "weights"],
        ["--clips", "5", "--protocol", "mm-k400"],
        ["--dump", "other.pkl"],
        ["--baselines", "--dry-run"],
        ["--label-fractions", "100"],
        ["--split", "test"],
    ],
)
def test_flags_without_effect_are_refused(
    tmp_path: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_scores(tmp_path, [[1, 0]] * 3, "probability")

    assert app.run(["eval", "--from", str(path), *flags]) == UsageError.exit_code
    assert f"{flags[0]} has no effect" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("flag", ["--dump=x.pkl", "--dump-v1=x", "--protocol=mm-k400", "--dry-run"])
def test_a_label_curve_has_no_dump_no_protocol_and_no_estimate(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["eval", "--label-fractions", "100", flag]) == UsageError.exit_code
    name = flag.partition("=")[0]
    assert f"{name} has no effect with --label-fractions" in " ".join(
        capsys.readouterr().err.split()
    )


def test_videos_that_the_evaluation_could_not_read_stay_in_the_counts(tmp_path: Path) -> None:
    path = write_scores(tmp_path, [[1, 0], [0, 1], [1, 0]], "probability")
    with np.load(path) as file:
        np.savez(path, **dict(file), unreadable=np.array(["gone.mp4"]))

    result = rescore(path, Notes(), RescoreOptions())

    assert (result.videos, result.unreadable) == (3, 1)
    assert "3 of 4 videos, 1 unreadable" in result.headline()
