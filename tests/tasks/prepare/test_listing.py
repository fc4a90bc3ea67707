"""Where a source says more than is read, `prepare` asks, and names what would work."""

from collections.abc import Callable
from pathlib import Path

import pytest

from videomae_cli.errors import DataError
from videomae_cli.report import Silence
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run


def test_labels_in_a_file_that_is_not_read_are_not_offered_as_a_list(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    for name in ("dog", "cat"):
        clip(tmp_path / "source" / f"{name}.mp4")
    (tmp_path / "source/notes.xml").write_text("<video>dog</video><video>cat</video>")

    with pytest.raises(
        DataError, match=r"no labels found, but notes\.xml names the videos"
    ) as caught:
        run(tmp_path / "source", tmp_path / "out", Silence())

    assert caught.value.hint.startswith("it is not read: save it as text with a header")


def test_an_empty_name_of_a_class_file_is_an_error(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    clip(tmp_path / "source" / "dog.mp4")

    with pytest.raises(DataError) as caught:
        run(tmp_path / "source", tmp_path / "out", Silence(), PrepareOptions(classes=""))

    assert "--classes takes a file or a number" in caught.value.hint
