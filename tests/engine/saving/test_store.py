"""Damaged checkpoints of every kind, and disks that cannot be written."""

import hashlib
import json
import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from videomae_cli.engine.saving.store import MANIFEST, Retention, newest_checkpoint, prune, publish
from videomae_cli.engine.saving.writer import write_tensors
from videomae_cli.errors import TrainingError

FILES = ("model.safetensors", "optimizer.safetensors", "state.json", MANIFEST)


def contents(step: int, size: int = 16) -> dict[str, dict[str, Tensor] | str]:
    values = torch.arange(size, dtype=torch.float32) + step
    return {
        "model.safetensors": {"weight": values, "bias": values[:3].bfloat16()},
        "optimizer.safetensors": {"weight/exp_avg": values * 2, "weight/step": torch.tensor(1.0)},
        "state.json": json.dumps({"step": step, "loss": 0.125}),
    }


def two_checkpoints(folder: Path) -> tuple[Path, Path]:
    return publish(folder, 1, contents(1)), publish(folder, 2, contents(2))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "cut", "emptied", "grown", "a directory"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    tmp_path: Path, name: str, damage: str
) -> None:
    older, newer = two_checkpoints(tmp_path)
    file = newer / name
    content = file.read_bytes()
    file.unlink()
    if damage == "a directory":
        file.mkdir()
    elif damage != "missing":
        file.write_bytes({"cut": content[:-5], "emptied": b"", "grown": content + b" {"}[damage])

    found, problems = newest_checkpoint(tmp_path)

    assert found == older
    assert len(problems) == 1
    assert str(newer) in problems[0]
    assert name in problems[0]


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_is_detected(tmp_path: Path, name: str) -> None:
    older, newer = two_checkpoints(tmp_path)
    file = newer / name

    for place in range(file.stat().st_size):
        flip(file, place)
        assert newest_checkpoint(tmp_path)[0] == older, f"byte {place}"
        flip(file, place)

    assert newest_checkpoint(tmp_path) == (newer, [])


@pytest.mark.parametrize(
    "leftover",
    [
        ".step-000000002.partial-1",
        ".step-000000002.former-1",
        "step-000000002.partial",  # as earlier versions named it
    ],
)
def test_a_leftover_of_a_killed_process_is_never_read_and_is_removed(
    leftover: str, tmp_path: Path
) -> None:
    complete = publish(tmp_path, 1, contents(1))
    shutil.copytree(complete, tmp_path / leftover)

    assert newest_checkpoint(tmp_path) == (complete, [])

    newer = publish(tmp_path, 3, contents(3))
    assert newest_checkpoint(tmp_path) == (newer, [])
    assert sorted(tmp_path.iterdir()) == [complete, newer]


def test_steps_sort_by_number_beyond_nine_digits(tmp_path: Path) -> None:
    publish(tmp_path, 999_999_999, contents(1))
    late = publish(tmp_path, 1_000_000_000, contents(2))

    assert newest_checkpoint(tmp_path) == (late, [])


def test_damaged_checkpoints_of_later_steps_do_not_count_as_kept_ones(tmp_path: Path) -> None:
    for step in (1, 2, 8, 9):
        publish(tmp_path, step, contents(step))
    for step in (8, 9):
        (tmp_path / f"step-{step:09d}" / MANIFEST).unlink()

    publish(tmp_path, 3, contents(3))
    prune(tmp_path, 3, Retention(2))

    assert sorted(int(path.name[5:]) for path in tmp_path.iterdir()) == [2, 3, 8, 9]
    assert publish(tmp_path, 8, contents(8)) == newest_checkpoint(tmp_path)[0], (
        "replaced when the run reaches its step"
    )


def test_a_checkpoint_of_the_same_step_replaces_the_former(tmp_path: Path) -> None:
    publish(tmp_path, 1, contents(1))
    again = publish(tmp_path, 1, contents(5))

    assert newest_checkpoint(tmp_path) == (again, [])
    assert [path.name for path in tmp_path.iterdir()] == [again.name]
    assert load_file(again / "model.safetensors")["weight"][0] == 5.0


def test_the_manifest_contains_size_and_sha256_of_every_other_file(tmp_path: Path) -> None:
    path = publish(tmp_path, 1, contents(1))

    entries = json.loads((path / MANIFEST).read_text())["files"]
    assert set(entries) == {file.name for file in path.iterdir()} - {MANIFEST}
    for name, entry in entries.items():
        content = (path / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_tensors_of_every_type_and_layout_are_read_as_they_were_written(tmp_path: Path) -> None:
    types = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8]
    tensors = {str(dtype): torch.arange(6).reshape(2, 3).to(dtype) for dtype in types}
    tensors |= {"scalar": torch.tensor(2.5), "nothing": torch.zeros(0, 3)}
    tensors |= {"turned": torch.arange(6.0).reshape(2, 3).T, "truth": torch.tensor([True, False])}

    write_tensors(tmp_path / "x.safetensors", tensors)

    read = load_file(tmp_path / "x.safetensors")
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)


def test_a_full_disk_is_reported_and_leaves_earlier_checkpoints_and_nothing_else(
    tmp_path: Path,
) -> None:
    complete = publish(tmp_path, 1, contents(1))
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, former[1]))  # the kernel refuses the rest
    try:
        with pytest.raises(
            TrainingError, match=r"step-000000002: .* of step 2 cannot be written: File too large"
        ):
            publish(tmp_path, 2, contents(2, size=10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)

    assert [path.name for path in tmp_path.iterdir()] == [complete.name]
    assert newest_checkpoint(tmp_path) == (complete, [])


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_read_only_directory_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    complete = publish(folder, 1, contents(1))
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        for path in (tmp_path, *tmp_path.parents):  # pytest's folders are closed to other users
            if path.is_relative_to(tempfile.gettempdir()) and not path.stat().st_mode & 0o001:
                path.chmod(0o755)
        os.seteuid(65534)  # root may write everywhere
    try:
        with pytest.raises(TrainingError, match=r"of step 2 cannot be written: Permission denied"):
            publish(folder, 2, contents(2))
        assert newest_checkpoint(folder) == (complete, [])
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
