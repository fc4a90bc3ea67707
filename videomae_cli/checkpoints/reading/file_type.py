"""Detect the type of a file by its first bytes, and refuse files that contain no weights."""

from pathlib import Path
from typing import Literal

from videomae_cli.errors import CheckpointError

FileType = Literal["safetensors", "torch", "torch (before 1.6)", "index"]

HEAD_BYTES = 512
DOWNLOAD_IN_BROWSER = "the host sent a page (log-in, quota); open it in a browser, download again"
DOWNLOAD_AGAIN = "download or copy it again"
UNPACK = "unpack it, and give the file inside"
GIVE_WEIGHTS = "give a .safetensors, .pth or .pt file, or a directory that videomae wrote"


# file types that cannot be read: first bytes, description, hint
NOT_WEIGHTS = (
    (b"<", "is a web page, not weights", DOWNLOAD_IN_BROWSER),
    (
        b"version https://git-lfs",
        "is a git-lfs pointer: the weights themselves were not downloaded",
        "run git lfs pull in its repository, or download the file from its page",
    ),
    (b"\x1f\x8b", "is a gzip archive", UNPACK),
    (b"BZh", "is a bzip2 archive", UNPACK),
    (b"\xfd7zXZ", "is an xz archive", UNPACK),
    (b"(\xb5/\xfd", "is a zstandard archive", UNPACK),
    (b"7z\xbc\xaf", "is a 7-zip archive", UNPACK),
    (b"Rar!", "is a RAR archive", UNPACK),
    (b"\x89HDF", "is an HDF5 file", GIVE_WEIGHTS),
    (b"\x93NUMPY", "is a numpy array", GIVE_WEIGHTS),
    (b"\x08", "looks like an ONNX model, which cannot be converted back to weights", GIVE_WEIGHTS),
)
TAR_MAGIC = slice(257, 262)


def detect_file_type(path: Path) -> FileType:
    """Return the type of a file of weights.

    Raises:
        CheckpointError: The file is missing, empty, unreadable, or contains no weights.
    """
    head = _read_head(path)
    if not head.strip(b"\0"):
        problem = "is empty (0 bytes)" if not head else "begins with nothing but zeros"
        raise CheckpointError(f"{path} {problem}", DOWNLOAD_AGAIN)
    if head[8:9] == b"{":  # tested first: the length of the header may look like another type
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
    for prefix, description, hint in NOT_WEIGHTS:
        if text.startswith(prefix):
            raise CheckpointError(f"{path} {description}", hint)
    words = " ".join(text.decode("utf-8", errors="replace").split())
    if text.isascii() and words.isprintable():
        raise CheckpointError(f"{path} is text, not weights: {words[:60]!r}", DOWNLOAD_AGAIN)
    raise CheckpointError(
        f"{path} is neither a safetensors nor a torch file (it begins with {head[:8]!r})",
        GIVE_WEIGHTS,
    )


def _read_head(path: Path) -> bytes:
    if not path.exists():
        raise CheckpointError(f"{path}: no such file", "check the path")
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file", GIVE_WEIGHTS)
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror}", "check its permissions"
        ) from error
