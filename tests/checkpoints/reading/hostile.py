"""Make files that attack the reader."""

import codecs
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from videomae_cli.checkpoints.native import write_native
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid

CONFIG = ModelConfig(
    kind="classifier",
    encoder=TransformerConfig(dim=8, depth=1, heads=2, mlp_dim=16),
    grid=TokenGrid(frames=4, height=8, width=8, tubelet=2, patch=4, channels=3),
    classes=("left", "right"),
)
WEIGHTS = {"head.weight": torch.arange(16.0).reshape(2, 8), "head.bias": torch.zeros(2)}


SCALAR = np.float64(1).__reduce__()[0]


class Runs:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def code(folder: Path) -> Path:
    path = folder / "code.pth"
    torch.save({"model": WEIGHTS, "extra": Runs(folder / "trace")}, path)
    return path


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def call(function: Callable[..., object], *arguments: object) -> Callable[[Path], Path]:
    """Return what writes a file that calls a function beside its weights."""

    def make(folder: Path) -> Path:
        path = folder / "call.pth"
        torch.save({"model": WEIGHTS, "extra": Calls(function, *arguments)}, path)
        return path

    return make


def old_code(folder: Path) -> Path:
    path = folder / "old.pth"
    saved = {"model": WEIGHTS, "extra": Runs(folder / "trace")}
    torch.save(saved, path, _use_new_zipfile_serialization=False)
    return path


def bomb(folder: Path) -> Path:
    path = folder / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(10**7))
    return path


def large_tensor(folder: Path) -> Path:
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}})
    return safetensors(folder / "large.safetensors", header.encode())


def large_storage(folder: Path) -> Path:
    torch.save({"a": torch.arange(4.0)}, folder / "sound.pth")
    sound = (folder / "sound.pth").read_bytes()
    (folder / "sound.pth").unlink()
    return rewritten(folder / "storage.pth", sound, b"K\x04tq", b"J" + _int32(10**9) + b"tq")


def outside(folder: Path) -> Path:
    secret = folder.parent / "secret.safetensors"
    torch.save(WEIGHTS, secret)
    return index(folder, {"head.weight": "../secret.safetensors"})


def absolute(folder: Path) -> Path:
    return index(folder, {"head.weight": str(folder.parent / "secret.safetensors")})


def link(folder: Path) -> Path:
    write_native(folder.parent / "elsewhere", WEIGHTS, CONFIG)
    target = folder.parent / "elsewhere" / "model.safetensors"
    (folder / "part.safetensors").symlink_to(target)
    return index(folder, dict.fromkeys(WEIGHTS, "part.safetensors"))


def page(folder: Path) -> Path:
    path = folder / "page.pth"
    path.write_bytes(b"\xef\xbb\xbf\n<!DOCTYPE html><html>Quota exceeded</html>")
    return path


def truncated(folder: Path) -> Path:
    path = folder / "cut.pth"
    torch.save({"model": WEIGHTS}, path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def flipped(folder: Path) -> Path:
    """Flip one bit of one value: only the checksum shows it."""
    path = folder / "flipped.pth"
    torch.save({"model": WEIGHTS}, path)
    value = WEIGHTS["head.weight"][1, 7].numpy().tobytes()
    content = path.read_bytes()
    assert content.count(value) == 1
    path.write_bytes(content.replace(value, bytes([value[0] ^ 1, *value[1:]])))
    return path


def wrong_magic(folder: Path) -> Path:
    path = folder / "noise.pth"
    path.write_bytes(b"\x13\x37" * 4096)
    return path


def nested(folder: Path) -> Path:
    saved: object = WEIGHTS
    for _ in range(200):
        saved = {"model": saved}
    path = folder / "nested.pth"
    torch.save(saved, path)
    return path


def deep_tuple(folder: Path) -> Path:
    """Nest a tuple so deeply that hashing it, as a key, overflows the C stack."""
    pickled = b"\x80\x02}" + b")" + b"\x85" * 500_000 + b"Ns."
    return rewritten(folder / "deep.pth", _save(folder, {"a": WEIGHTS["head.bias"]}), None, pickled)


def cycle(folder: Path) -> Path:
    saved: dict[str, object] = {"epoch": 1}
    saved["model"] = saved["state_dict"] = saved
    path = folder / "cycle.pth"
    torch.save(saved, path)
    return path


def large_header(folder: Path) -> Path:
    return safetensors(folder / "header.safetensors", b'{"a":"' + b" " * (17 * 2**20) + b'"}')


def many_levels(folder: Path) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text('{"weight_map": ' + "[" * 10**6)
    return path


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a pickle that runs code": (code, r"(posix|nt)\.mkdir"),
    "the same from before 1.6": (old_code, r"(posix|nt)\.mkdir"),
    "a numpy scalar that is an object": (
        call(SCALAR, np.dtype("O"), b"x"),
        "a numpy type other than numbers and text: 'O8'",
    ),
    "a numpy scalar larger than its bytes": (
        call(SCALAR, np.dtype("U999999"), b"x"),
        "a numpy scalar of 3999996 bytes has 1",
    ),
    "a numpy scalar without a type": (call(SCALAR, "f8", b"x" * 8), "not made of a type"),
    "a numpy scalar of a tensor": (call(SCALAR, torch.zeros(1), b"x" * 8), "not made of a type"),
    "a numpy type with fields": (
        call(np.dtype, [("a", "f8")]),
        "a numpy type other than numbers and text",
    ),
    "a numpy type by a long text": (call(np.dtype, "f8," * 10**5), "a numpy type other than"),
    "a path made of a number": (call(PurePosixPath, 3), "a path is not made of text"),
    "an array": (lambda folder: _save_to(folder / "array.pth", np.zeros(3)), "_reconstruct"),
    "text for another codec": (call(codecs.encode, "x" * 99, "zip"), "in an unusual way"),
    "bytes for a codec": (call(codecs.encode, b"x" * 99, "latin1"), "in an unusual way"),
    "a zip bomb": (bomb, "compressed"),
    "a header with a tensor of 10^9 values": (large_tensor, "damaged"),
    "a storage of 10^9 values": (large_storage, "declares 4,000,000,000 bytes"),
    "an index that leads out of its folder": (outside, r"'\.\./secret\.safetensors'"),
    "an index with an absolute path": (absolute, "which is outside its folder"),
    "a link out of the folder": (link, "a link to a file outside"),
    "a web page": (page, "web page"),
    "a file cut short": (truncated, "damaged"),
    "a flipped bit": (flipped, "CRC"),
    "noise": (wrong_magic, "neither a safetensors nor a torch file"),
    "wrappers in wrappers": (nested, "no weights under"),
    "tuples in tuples": (deep_tuple, "nests tuples more than"),
    "an object that holds itself": (cycle, "no weights under"),
    "a header of 17 MB": (large_header, "declares 17,"),
    "an index of a million brackets": (many_levels, "is not JSON"),
}


def index(folder: Path, places: dict[str, str]) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places}))
    return path


def safetensors(path: Path, header: bytes) -> Path:
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    return path


def rewritten(path: Path, content: bytes, old: bytes | None, new: bytes) -> Path:
    """Write a torch file with another pickle in it, all checksums right; `old` None: all of it."""
    source = path.with_suffix(".source")
    source.write_bytes(content)
    with zipfile.ZipFile(source) as sound, zipfile.ZipFile(path, "w") as archive:
        for entry in sound.infolist():
            data = sound.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert old is None or old in data
                data = new if old is None else data.replace(old, new)
            archive.writestr(entry.filename, data)
    source.unlink()
    return path


def _save_to(path: Path, value: object) -> Path:
    torch.save({"model": WEIGHTS, "extra": value}, path)
    return path


def _save(folder: Path, saved: object) -> bytes:
    torch.save(saved, folder / "saved.pth")
    content = (folder / "saved.pth").read_bytes()
    (folder / "saved.pth").unlink()
    return content


def _int32(number: int) -> bytes:
    return number.to_bytes(4, "little")
