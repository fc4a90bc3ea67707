"""What kind of file this is, by its first bytes; what holds no weights is refused by its name."""

from pathlib import Path
from typing import Literal, NamedTuple

from videomae_cli.errors import CheckpointError

Container = Literal["safetensors", "torch", "torch (before 1.6)", "index"]

HEAD_BYTES = 512
PAGE = "the host answered with a page (log-in, quota); open it in a browser and fetch again"
AGAIN = "download or copy it again"
UNPACK = "unpack it, and give the file inside"
WANTED = "give a .safetensors, .pth or .pt file, or a directory that videomae wrote"


class Magic(NamedTuple):
    """What cannot be read, and how it begins."""

    begins: bytes
    what: str
    hint: str


NOT_WEIGHTS = (
    Magic(b"<", "is a web page, not weights", PAGE),
    Magic(
        b"version https://git-lfs",
        "is a git-lfs pointer: the weights themselves were never fetched",
        "run git lfs pull in its repository, or download the file from its page",
    ),
    Magic(b"\x1f\x8b", "is a gzip archive", UNPACK),
    Magic(b"BZh", "is a bzip2 archive", UNPACK),
    Magic(b"\xfd7zXZ", "is an xz archive", UNPACK),
    Magic(b"(\xb5/\xfd", "is a zstandard archive", UNPACK),
    Magic(b"7z\xbc\xaf", "is a 7-zip archive", UNPACK),
    Magic(b"Rar!", "is a RAR archive", UNPACK),
    Magic(b"\x89HDF", "is an HDF5 file", WANTED),
    Magic(b"\x93NUMPY", "is a numpy array", WANTED),
    Magic(b"\x08", "looks like an ONNX program, which does not turn back into weights", WANTED),
)
TAR_MAGIC = slice(257, 262)


def container(path: Path) -> Container:
    """Tell what holds the weights.

    Raises:
        CheckpointError: The file is missing, empty, not readable, or something else than weights.
    """
    head = _head(path)
    if not head.strip(b"\0"):
        what = "is empty (0 bytes)" if not head else "begins with nothing but zeros"
        raise CheckpointError(f"{path} {what}", AGAIN)
    if head[8:9] == b"{":  # first, for a header's length can look like anything
        return "safetensors"
    if head[:4] == b"PK\x03\x04":
        return "torch"
    if head[:1] == b"\x80":
        return "torch (before 1.6)"
    if head[TAR_MAGIC] == b"ustar":
        raise CheckpointError(f"{path} is a tar archive", UNPACK)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"{" and path.suffix == ".json":
        return "index"
    for magic in NOT_WEIGHTS:
        if text.startswith(magic.begins):
            raise CheckpointError(f"{path} {magic.what}", magic.hint)
    words = " ".join(text.decode("utf-8", errors="replace").split())
    if text.isascii() and words.isprintable():
        raise CheckpointError(f"{path} is text, not weights: {words[:60]!r}", AGAIN)
    raise CheckpointError(
        f"{path} is neither safetensors nor a torch file (it begins with {head[:8]!r})", WANTED
    )


def _head(path: Path) -> bytes:
    if not path.exists():
        raise CheckpointError(f"{path}: no such file", "check the path")
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file", WANTED)
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror}", "check who may read it"
        ) from error
