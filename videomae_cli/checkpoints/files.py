"""Weights in and out of files, without running anything and without leaving half a file.

Reading takes safetensors, and torch archives through the weights-only unpickler with one more class
on its list: `argparse.Namespace`, which the original training scripts store beside the weights. A
file that needs any other class is refused by the name of that class. What can be checked from names
and sizes is checked before memory is taken.

Not covered: a torch file from before 2020 (no zip archive) is read by the same unpickler, but its
sizes are only known while reading.
"""

import argparse
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from videomae_cli.checkpoints.atomic import replacing, replacing_directory
from videomae_cli.checkpoints.cards import CARD_FILE, CARD_KEY, card_line
from videomae_cli.config.card import Card
from videomae_cli.errors import CheckpointError

Weights = dict[str, Tensor]

WEIGHTS_FILE = "model.safetensors"
ALLOWED = (argparse.Namespace,)
MOST_ENTRIES = 100_000  # the largest published model of this family has about 600 tensors
MOST_PICKLE_BYTES = 64 * 2**20  # names and shapes; the numbers lie in entries of their own

# what a damaged file makes torch, zipfile and pickle raise (found by flipping and cutting bytes)
_DAMAGE = (
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    NotImplementedError,
)


class Contents(NamedTuple):
    """What a file of weights holds."""

    weights: object
    """Safetensors: tensors by name. Torch: what was saved, often a dict with the weights inside."""
    metadata: dict[str, str]
    """Text stored beside the tensors (safetensors); `container` is always there."""


def read_contents(path: Path) -> Contents:
    """Read a safetensors or torch file.

    Raises:
        CheckpointError: Missing, empty, truncated, a web page, unknown, or in need of a class
            that is not allowed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file", "check the path")
    with path.open("rb") as file:
        head = file.read(256)
    if not head:
        raise CheckpointError(f"{path} is empty (0 bytes)", "download or copy it again")
    if head[8:9] == b"{":  # first, for a header's length can look like anything
        return _read_safetensors(path)
    if head[:4] == b"PK\x03\x04" or head[:1] == b"\x80":
        return _read_torch(path)
    if head.lstrip()[:1] == b"<":
        raise CheckpointError(
            f"{path} is a web page, not weights",
            "the host answered with a page (log-in, quota); open it in a browser and fetch again",
        )
    raise CheckpointError(
        f"{path} is neither safetensors nor a torch file (it begins with {head[:8]!r})",
        "give a .safetensors, .pth or .pt file, or a directory that videomae wrote",
    )


def read_weights(path: Path) -> tuple[Weights, dict[str, str]]:
    """Read a file that holds tensors by name and nothing else, and its metadata.

    Raises:
        CheckpointError: As `read_contents`, or the file holds something other than named tensors.
    """
    contents, metadata = read_contents(path)
    if not is_weights(contents):
        raise CheckpointError(
            f"{path} does not hold named tensors", "look at it with convert --inspect"
        )
    return owned(path, contents), metadata


def is_weights(value: object) -> TypeGuard[Mapping[str, Tensor]]:
    """Tell whether a value is a non-empty mapping of names to tensors."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )


def owned(path: Path, weights: Mapping[str, Tensor]) -> Weights:
    """Return float32 copies of tensors that may still lie in the file's memory map.

    Raises:
        CheckpointError: The tensors claim more numbers than the file has bytes for.
    """
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if claimed > 2 * path.stat().st_size:  # shared tensors may count twice
        raise CheckpointError(f"its tensors claim {claimed:,} bytes, more than the file has")
    return {
        name: tensor.detach()
        .to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        .contiguous()
        for name, tensor in weights.items()
    }


def _read_safetensors(path: Path) -> Contents:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, *_DAMAGE) as error:
        raise CheckpointError(
            f"{path} is damaged: {_first_line(error)}", "download or copy it again"
        ) from error
    return Contents(weights, {**metadata, "container": "safetensors"})


def _read_torch(path: Path) -> Contents:
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _check_archive(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(list(ALLOWED)):
            warnings.simplefilter("ignore")  # about pickle protocols: the outcome says it all
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped or None)
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from error
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path} is damaged or not a torch file: {_first_line(error)}",
            "download or copy it again",
        ) from error
    return Contents(held, {"container": "torch" if zipped else "torch (before 1.6)"})


def _check_archive(path: Path) -> None:
    """Refuse an archive that would unpack to more than it is."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise CheckpointError(f"{path} has {len(entries):,} entries, more than {MOST_ENTRIES:,}")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"{path}: {entry.filename} is compressed; torch never does that")
        if entry.filename.endswith("data.pkl") and entry.file_size > MOST_PICKLE_BYTES:
            raise CheckpointError(f"{path}: {entry.filename} has {entry.file_size:,} bytes")


def _refusal(path: Path, text: str) -> CheckpointError:
    named = re.search(r"GLOBAL (\S+) (?:was not an allowed|whose module)", text)
    if named is None:
        return CheckpointError(
            f"{path} is damaged or not a torch file: the weights-only reader cannot follow it",
            "download or copy it again",
        )
    return CheckpointError(
        f"{path} needs the class {named[1]}, which could run code; refused",
        "ask its author for a file with tensors only (safetensors), or save its state_dict alone",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def write_native(
    directory: Path, weights: Mapping[str, Tensor], card: Card, *, replace: bool = True
) -> None:
    """Write `model.safetensors` and `model.json`, both or neither.

    The card also goes into the safetensors header, so that the file alone is enough.

    Args:
        directory: What to create. An existing one is replaced only if it holds nothing but these
            two files.
        weights: Native names to tensors, on any device.
        card: What they are.
        replace: False refuses an existing directory that is not empty.

    Raises:
        CheckpointError: The directory is in the way.
    """
    ours = (WEIGHTS_FILE, CARD_FILE) if replace else ()
    text = card.model_dump_json(indent=2)
    # copies: safetensors wants whole rows and refuses memory that two names share
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    with replacing_directory(directory, ours=ours) as partial:
        save_file(tensors, partial / WEIGHTS_FILE, metadata={CARD_KEY: card_line(card)})
        (partial / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def write_torch(path: Path, held: Mapping[str, object]) -> None:
    """Write a torch file, whole or not at all."""
    with replacing(path) as partial:
        torch.save(dict(held), partial)
