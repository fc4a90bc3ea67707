"""Digests of values and of files, for `fingerprint.py` beside this file.

A digest is a SHA-256. It comes with an ending: none for what must not change, `.words` for a text
that people read.
"""

import base64
import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Digests = dict[str, str]

WORDS = ".words"
IGNORED_KEYS = {"software", "versions", "file", "bytes"}  # in a .pth stands a temporary name
PAYLOAD = re.compile(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', re.DOTALL)


def hash_of(value: object) -> str:
    """Return the SHA-256 of a value: of its JSON, where tensors and arrays stand as hashes."""
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()


def value_digests(value: object) -> Digests:
    """Return one digest of a value without its words, and one of all of it if there are any."""
    value = _plain(value)
    strict = _without_words(value)
    return {"": hash_of(strict)} | ({WORDS: hash_of(value)} if strict != value else {})


def file_digests(path: Path) -> Digests:
    """Return the digests of a file, by ending."""
    read = READERS.get(path.suffix)
    if read is None:
        return {"": hash_of(path.read_bytes().hex())}
    return read(path)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it, without times, versions and the current folder."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items() if key not in IGNORED_KEYS}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        if value.startswith(("{", "[")):
            try:
                return _plain(json.loads(value))  # JSON inside JSON, as in a file's header
            except ValueError:
                pass
        return value.replace(str(Path.cwd()), "FOLDER")
    if hasattr(value, "detach"):
        bits = value.detach().contiguous().reshape(-1).view(dtype=_bytes())
        return [str(value.dtype), list(value.shape), hashlib.sha256(bits.numpy().data).hexdigest()]
    if hasattr(value, "tobytes"):
        return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    return value


def _bytes() -> Any:
    from torch import uint8

    return uint8


def _without_words(value: Any) -> Any:
    """Return a plain value with every text that has a blank in it left out."""
    if isinstance(value, dict):
        return {key: _without_words(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_words(one) for one in value]
    return "words" if isinstance(value, str) and re.search(r"\s", value) else value


def _leaves(value: Any) -> Iterator[Any]:
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    if inner is None:
        yield value
    for one in inner or ():
        yield from _leaves(one)


def _json(path: Path) -> Digests:
    value = json.loads(path.read_text())
    return {"": hash_of(value)} if path.name == "state.json" else value_digests(value)


def _lines(path: Path) -> Digests:
    """JSON lines: `metrics.jsonl` to the byte, others with and without words."""
    text = path.read_text()
    if path.name == "metrics.jsonl":
        return {"": hash_of(["as it is", text])}
    return value_digests([json.loads(line) for line in text.splitlines()])


def _yaml(path: Path) -> Digests:
    import yaml

    return value_digests(yaml.safe_load(path.read_text())) | {WORDS: hash_of([path.read_text()])}


def _csv(path: Path) -> Digests:
    return value_digests(list(csv.reader(path.read_text().splitlines())))


def _safetensors(path: Path) -> Digests:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return value_digests({"tensors": tensors, "header": file.metadata()})


def _torch(path: Path) -> Digests:
    import torch

    return value_digests(torch.load(path, weights_only=True))  # noqa: TID251  (files made here)


def _npz(path: Path) -> Digests:
    import numpy as np

    return value_digests(dict(np.load(path)))


def _page(path: Path) -> Digests:
    """A page with data for its script: every number and picture in them, whatever their names."""
    text = path.read_text()
    leaves = _leaves(_without_words([json.loads(found) for found in PAYLOAD.findall(text)]))
    return {"": hash_of(sorted(map(str, leaves))), WORDS: hash_of(["as it is", text])}


def _picture(path: Path) -> Digests:
    """A PNG or GIF: how many pictures and how long each is shown; the pixels have text on them."""
    from PIL import Image, ImageSequence

    with Image.open(path) as picture:
        frames = [
            (f.info.get("duration"), f.convert("RGB").tobytes())
            for f in ImageSequence.Iterator(picture)
        ]
    pixels = [hashlib.sha256(frame).hexdigest() for _, frame in frames]
    return {"": hash_of([duration for duration, _ in frames]), WORDS: hash_of(pixels)}


def _film(path: Path) -> Digests:
    """An MP4: its length and rate. Its encoder does not always give the same bytes."""
    import av

    with av.open(str(path)) as container:
        rate = str(container.streams.video[0].average_rate)
        return {"": hash_of([rate, sum(1 for _ in container.decode(video=0))])}


def _onnx(path: Path) -> Digests:
    """An exported model: its operations in order, and its constants whatever their names."""
    import onnx

    graph = onnx.load(path).graph
    constants = sorted(
        hash_of(base64.b64encode(onnx.numpy_helper.to_array(c).tobytes()).decode())
        for c in graph.initializer
    )
    return {"": hash_of([[node.op_type for node in graph.node], constants])}


def _exported(path: Path) -> Digests:
    """As `_onnx`, of a program of torch.export."""
    import torch

    program = torch.export.load(path)
    constants = sorted(map(hash_of, [*program.state_dict.values(), *program.constants.values()]))
    calls = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    return {"": hash_of([calls, constants])}


READERS = {
    ".json": _json,
    ".jsonl": _lines,
    ".yaml": _yaml,
    ".csv": _csv,
    ".safetensors": _safetensors,
    ".pth": _torch,
    ".npz": _npz,
    ".html": _page,
    ".png": _picture,
    ".gif": _picture,
    ".mp4": _film,
    ".onnx": _onnx,
    ".pt2": _exported,
}
