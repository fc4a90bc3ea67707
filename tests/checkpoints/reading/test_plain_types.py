"""Values that training scripts store beside weights are read as plain Python values."""

import argparse
import sys
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import torch

from tests.checkpoints.reading.hostile import SCALAR, WEIGHTS, rewritten
from videomae_cli.checkpoints.reading.files import read_contents

VALUES: dict[str, tuple[object, object]] = {
    "float64": (np.float64(3.5), 3.5),
    "float32": (np.float32(1.25), 1.25),
    "float16": (np.float16(-0.5), -0.5),
    "not finite": (np.float64("inf"), float("inf")),
    "long double": (np.longdouble(2.5), 2.5),
    "int64": (np.int64(-4), -4),
    "uint8": (np.uint8(200), 200),
    "big-endian": (np.array([7], ">i4")[0], 7),
    "bool": (np.bool_(True), True),
    "complex": (np.complex64(1 + 2j), 1 + 2j),
    "text": (np.str_("häü"), "häü"),
    "bytes": (np.bytes_(b"ab\0c"), b"ab\0c"),
    "path": (Path("/data/runs"), PurePosixPath("/data/runs")),
    "relative path": (PurePosixPath("a/b"), PurePosixPath("a/b")),
    "Windows path": (PureWindowsPath("C:/a b"), PureWindowsPath("C:/a b")),
    "counter": (Counter([3, 3]), Counter({3: 2})),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Path is another class there")
@pytest.mark.parametrize("zipped", [True, False])
def test_values_are_read_whatever_the_age_of_the_file(tmp_path: Path, zipped: bool) -> None:
    saved = {name: value for name, (value, _) in VALUES.items()}
    args = argparse.Namespace(lr=np.float64(1e-3), output_dir=Path("out"))
    content = {"model": WEIGHTS, "args": args, "dtype": np.dtype("float32"), **saved}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)

    read = read_contents(tmp_path / "x.pth").saved

    assert isinstance(read, dict)
    for name, (_, expected) in VALUES.items():
        assert read[name] == expected and type(read[name]) is type(expected), name
    assert vars(read["args"]) == {"lr": 1e-3, "output_dir": PurePosixPath("out")}
    assert torch.equal(read["model"]["head.weight"], WEIGHTS["head.weight"])


@pytest.fixture
def file_of_a_path(tmp_path: Path) -> Iterator[bytes]:
    torch.save({"model": WEIGHTS, "best": np.float64(3.5), "p": PurePosixPath("a")}, tmp_path / "p")
    yield (tmp_path / "p").read_bytes()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"numpy._core.multiarray\nscalar", b"numpy.core.multiarray\nscalar"),
        (b"pathlib\nPurePosixPath", b"pathlib._local\nPosixPath"),
        (b"pathlib\nPurePosixPath", b"pathlib\nWindowsPath"),
    ],
)
def test_names_of_other_versions_are_known(
    tmp_path: Path, file_of_a_path: bytes, old: bytes, new: bytes
) -> None:
    path = rewritten(tmp_path / "x.pth", file_of_a_path, old, new)

    read = read_contents(path).saved

    assert isinstance(read, dict) and read["best"] == 3.5
    assert isinstance(read["p"], PurePath) and str(read["p"]) == "a"


def test_the_file_calls_nothing_of_numpy(tmp_path: Path) -> None:
    calls = []
    torch.save({"model": WEIGHTS, "best": np.float64(3.5)}, tmp_path / "x.pth")

    def watch(_frame: types.FrameType, event: str, argument: object) -> None:
        if event == "c_call" and argument in (SCALAR, np.dtype):
            calls.append(argument)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        read_contents(tmp_path / "x.pth")
    finally:
        sys.setprofile(before)

    assert calls == []
