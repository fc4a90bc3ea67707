"""Check torch files before torch reads them: the classes they need and the sizes they declare.

The weights-only unpickler prevents code from running. The checks here name beforehand what it would
refuse, and refuse files on which it would crash or run out of memory.

Not covered: only the entries of a zip archive have checksums, so a changed byte among the values of
an older torch file or of a safetensors file is not detected.
"""

import argparse
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from videomae_cli.checkpoints.keymap import list_names
from videomae_cli.checkpoints.reading.file_type import GIVE_WEIGHTS
from videomae_cli.checkpoints.reading.pickle_scan import GlobalName, PickleScan, scan_pickle
from videomae_cli.checkpoints.reading.plain_types import PLAIN_TYPES
from videomae_cli.errors import CheckpointError

# the original training scripts store a namespace beside the weights, many store the others
ALLOWED: tuple[Callable[..., object] | tuple[Callable[..., object], str], ...] = (
    argparse.Namespace,
    *((stand_in, name) for name, stand_in in PLAIN_TYPES.items()),
)
ENCODE = GlobalName("_codecs", "encode")  # how a pickle spells bytes
HARMLESS = {
    *PLAIN_TYPES,
    str(ENCODE),
    "argparse.Namespace",
    "builtins.set",
    "collections.Counter",
    "collections.OrderedDict",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.storage.UntypedStorage",
}
HARMLESS_PATTERN = re.compile(r"torch\.(\w+Storage|b?float\d+|u?int\d+|bool)")
MAX_ENTRIES = 100_000  # the largest published model of this family has about 600 tensors
MAX_PICKLE_BYTES = 16 * 2**20  # names and shapes; the values are in separate entries
MAX_LISTED = 5
ITEM_BYTES = {"Double": 8, "Long": 8, "Float": 4, "Int": 4, "Half": 2, "BFloat16": 2, "Short": 2}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PICKLES = 5  # magic number, protocol, machine, saved object, storage keys


def check_archive(path: Path) -> None:
    """Check a zip archive against the limits.

    Raises:
        CheckpointError: It is not a torch file, needs a class that is not allowed, or declares more
            bytes than it contains.
        ValueError, zipfile.BadZipFile: It is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        entries = _check_entries(path, archive)
        pickle_entry = _find_pickle(path, entries)
        scan = scan_pickle(io.BytesIO(archive.read(pickle_entry)), path)
    _refuse_unsafe_names(path, scan.global_names)
    _refuse_other_encodings(path, scan)
    folder = pickle_entry.filename.removesuffix("data.pkl")
    sizes = {entry.filename.removeprefix(folder + "data/"): entry.file_size for entry in entries}
    for key, size in _read_storage_sizes(scan):
        if size > sizes.get(key, -1):
            actual = f"{sizes[key]:,}" if key in sizes else "none"
            raise CheckpointError(
                f"{path} declares {size:,} bytes for a tensor, but contains {actual}"
            )


def check_legacy_file(path: Path) -> None:
    """Check a torch file from before 1.6 against the limits; raises as `check_archive`."""
    with path.open("rb") as file:
        stream = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    scans = [scan_pickle(stream, path)]
    magic = stream.getvalue()[: stream.tell()]
    _refuse_unsafe_names(path, scans[0].global_names)
    if LEGACY_MAGIC.to_bytes(10, "little") not in magic:
        raise CheckpointError(f"{path} is a pickle, but not one that torch wrote", GIVE_WEIGHTS)
    scans += [scan_pickle(stream, path) for _ in range(LEGACY_PICKLES - 1)]
    for scan in scans:
        _refuse_unsafe_names(path, scan.global_names)
        _refuse_other_encodings(path, scan)
    sizes = dict(pair for scan in scans for pair in _read_storage_sizes(scan))
    declared = sum(sizes.values())
    if declared > path.stat().st_size:
        raise CheckpointError(
            f"{path} declares {declared:,} bytes of tensors, more than it contains"
        )


def check_checksums(path: Path) -> None:
    """Read all entries of a zip archive and compare their checksums, if they have any.

    Raises:
        zipfile.BadZipFile: An entry has changed.
    """
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.CRC == 0:
                continue  # torch writes none after set_crc32_options(False)
            with archive.open(entry) as stream:
                while stream.read(2**20):
                    pass


def _refuse_unsafe_names(path: Path, names: Iterable[GlobalName]) -> None:
    """Refuse classes and functions that are not on the list of harmless ones."""
    texts = [str(name).replace("__builtin__.", "builtins.") for name in names]
    unsafe = sorted({t for t in texts if t not in HARMLESS and not HARMLESS_PATTERN.fullmatch(t)})
    if not unsafe:
        return
    raise CheckpointError(
        f"{path} needs {list_names(unsafe, MAX_LISTED)}, which could run code; refused",
        "ask the author for a file that contains only tensors (safetensors); if you trust the"
        " file, load it in a program of your own and save only its weights",
    )


def _refuse_other_encodings(path: Path, scan: PickleScan) -> None:
    """Refuse a call of the encoder with anything but text and `latin1`, which gives bytes."""
    calls = [call.arguments for call in scan.calls if call.name == ENCODE]
    for arguments in calls:
        match arguments:
            case (str(), "latin1"):
                pass
            case _:
                raise CheckpointError(f"{path} encodes text in an unusual way; refused")


def _check_entries(path: Path, archive: zipfile.ZipFile) -> Sequence[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise CheckpointError(f"{path} has {len(entries):,} entries, more than {MAX_ENTRIES:,}")
    if len({entry.filename for entry in entries}) < len(entries):
        raise CheckpointError(f"{path} has two entries of one name; torch never writes that")
    compressed = next((e for e in entries if e.compress_type != zipfile.ZIP_STORED), None)
    if compressed is not None:
        raise CheckpointError(
            f"{path}: {compressed.filename} is compressed; torch never writes that"
        )
    total = sum(entry.file_size for entry in entries)
    if total > path.stat().st_size:
        raise CheckpointError(f"{path} would unpack to {total:,} bytes, more than its own size")
    return entries


def _find_pickle(path: Path, entries: Sequence[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    names = [entry.filename for entry in entries]
    top_level = {name.split("/", 1)[-1].split("/")[0] for name in names}
    if "constants.pkl" in top_level or "code" in top_level:
        raise CheckpointError(f"{path} is a TorchScript model, not weights", GIVE_WEIGHTS)
    if "archive_format" in top_level:
        raise CheckpointError(f"{path} is an exported model, not weights", GIVE_WEIGHTS)
    pickles = [e for e in entries if e.filename.split("/", 1)[-1] == "data.pkl"]
    if len(pickles) != 1:
        listed = ", ".join(names[:3]) or "nothing"
        raise CheckpointError(
            f"{path} is a zip archive, but not a torch file: it contains {listed}"
        )
    if pickles[0].file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(
            f"{path}: {pickles[0].filename} has {pickles[0].file_size:,} bytes, more than"
            f" {MAX_PICKLE_BYTES:,} for names and shapes"
        )
    return pickles[0]


def _read_storage_sizes(scan: PickleScan) -> list[tuple[str, int]]:
    """Return the key and the minimum number of bytes of each storage that a pickle refers to."""
    sizes = []
    for reference in scan.persistent_ids:
        match reference:
            case ("storage", GlobalName() as kind, str(key), _, int(count), *_) if count >= 0:
                sizes.append((key, count * ITEM_BYTES.get(kind.name.removesuffix("Storage"), 1)))
            case _:
                raise ValueError("a tensor refers to something other than a storage")
    return sizes
