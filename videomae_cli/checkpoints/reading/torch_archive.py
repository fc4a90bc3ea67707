"""Torch files held against limits before torch sees them: what they need, promise and weigh.

The weights-only unpickler is what keeps code from running; this says beforehand, and by name, what
it would refuse, and refuses what it would crash or choke on.

Not covered: nothing but the directory of a zip archive has checksums, so a byte that flipped among
the numbers of an older torch file, or of a safetensors file, is not seen.
"""

import argparse
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from videomae_cli.checkpoints.reading.file_type import WANTED
from videomae_cli.checkpoints.reading.pickle_scan import Held, Name, Survey, survey
from videomae_cli.errors import CheckpointError

ALLOWED = (argparse.Namespace,)  # the original training scripts store one beside the weights
HARMLESS = {
    "argparse.Namespace",
    "builtins.set",
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.storage.UntypedStorage",
}
HARMLESS_PATTERN = re.compile(r"torch\.(\w+Storage|b?float\d+|u?int\d+|bool)")
MOST_ENTRIES = 100_000  # the largest published model of this family has about 600 tensors
MOST_PICKLE_BYTES = 16 * 2**20  # names and shapes; the numbers lie in entries of their own
MOST_NAMED = 5
ITEM_BYTES = {"Double": 8, "Long": 8, "Float": 4, "Int": 4, "Half": 2, "BFloat16": 2, "Short": 2}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PICKLES = 5  # magic number, protocol, machine, what was saved, storage keys


def check_archive(path: Path) -> None:
    """Hold a zip archive against the limits.

    Raises:
        CheckpointError: It is no torch file, needs a class that is not allowed, or promises more
            than it holds.
        ValueError, zipfile.BadZipFile: It is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        entries = _entries(path, archive)
        pickled = _pickle_of(path, entries)
        found = survey(io.BytesIO(archive.read(pickled)), path)
    refuse_names(path, found.names)
    folder = pickled.filename.removesuffix("data.pkl")
    sizes = {entry.filename.removeprefix(folder + "data/"): entry.file_size for entry in entries}
    for key, count in _promised(found):
        if count > sizes.get(key, -1):
            held = f"{sizes[key]:,}" if key in sizes else "none"
            raise CheckpointError(f"{path} promises {count:,} bytes for a tensor, and has {held}")


def check_stream(path: Path) -> None:
    """Hold a torch file from before 1.6 against the limits.

    Raises:
        CheckpointError: As `check_archive`.
        ValueError: It is damaged.
    """
    with path.open("rb") as file:
        stream = io.BytesIO(file.read(MOST_PICKLE_BYTES))
    found = [survey(stream, path)]
    magic = stream.getvalue()[: stream.tell()]
    refuse_names(path, found[0].names)
    if LEGACY_MAGIC.to_bytes(10, "little") not in magic:
        raise CheckpointError(f"{path} is a pickle, but not one that torch wrote", WANTED)
    found += [survey(stream, path) for _ in range(LEGACY_PICKLES - 1)]
    refuse_names(path, [name for one in found for name in one.names])
    promised = sum(dict(pair for one in found for pair in _promised(one)).values())
    if promised > path.stat().st_size:
        raise CheckpointError(f"{path} promises {promised:,} bytes of tensors, more than it has")


def check_sums(path: Path) -> None:
    """Read a zip archive through and compare its checksums, where it has any.

    Raises:
        zipfile.BadZipFile: An entry is not what it was.
    """
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.CRC == 0:
                continue  # torch writes none where set_crc32_options(False) was called
            with archive.open(entry) as stream:
                while stream.read(2**20):
                    pass


def refuse_names(path: Path, names: Iterable[Name]) -> None:
    """Refuse classes that are not on the list.

    Raises:
        CheckpointError: There are some; they are named.
    """
    texts = [str(name).replace("__builtin__.", "builtins.") for name in names]
    wrong = sorted({t for t in texts if t not in HARMLESS and not HARMLESS_PATTERN.fullmatch(t)})
    if not wrong:
        return
    rest = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    raise CheckpointError(
        f"{path} needs {', '.join(wrong[:MOST_NAMED])}{rest}, which could run code; refused",
        "ask its author for a file with tensors only (safetensors); if you trust the file, load it"
        " in a program of your own and save its weights alone",
    )


def _entries(path: Path, archive: zipfile.ZipFile) -> Sequence[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise CheckpointError(f"{path} has {len(entries):,} entries, more than {MOST_ENTRIES:,}")
    if len({entry.filename for entry in entries}) < len(entries):
        raise CheckpointError(f"{path} has two entries of one name; torch never writes that")
    packed = next((e for e in entries if e.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise CheckpointError(f"{path}: {packed.filename} is compressed; torch never does that")
    total = sum(entry.file_size for entry in entries)
    if total > path.stat().st_size:
        raise CheckpointError(f"{path} would unpack to {total:,} bytes, more than it has")
    return entries


def _pickle_of(path: Path, entries: Sequence[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    names = [entry.filename for entry in entries]
    inner = {name.split("/", 1)[-1].split("/")[0] for name in names}
    if "constants.pkl" in inner or "code" in inner:
        raise CheckpointError(f"{path} is a TorchScript program, not weights", WANTED)
    if "archive_format" in inner:
        raise CheckpointError(f"{path} is an exported program, not weights", WANTED)
    pickles = [e for e in entries if e.filename.split("/", 1)[-1] == "data.pkl"]
    if len(pickles) != 1:
        held = ", ".join(names[:3]) or "nothing"
        raise CheckpointError(f"{path} is a zip archive, but no torch file: it holds {held}")
    if pickles[0].file_size > MOST_PICKLE_BYTES:
        raise CheckpointError(
            f"{path}: {pickles[0].filename} has {pickles[0].file_size:,} bytes, more than"
            f" {MOST_PICKLE_BYTES:,} for names and shapes"
        )
    return pickles[0]


def _promised(found: Survey) -> list[tuple[str, int]]:
    """Return the key and the least number of bytes of each storage a pickle refers to."""
    return [_storage(held) for held in found.persistent]


def _storage(held: Held) -> tuple[str, int]:
    match held:
        case ("storage", Name() as kind, str(key), _, int(count), *_) if count >= 0:
            item = ITEM_BYTES.get(kind.name.removesuffix("Storage"), 1)
            return key, count * item
    raise ValueError("a tensor refers to something that is not a storage")
