"""Names of the splits train, val and test, as used in columns, folder names and file names."""

import re
from pathlib import Path

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def parse_split(name: str) -> str | None:
    """Return train, val or test for one of its usual names, else None."""
    return SPLIT_NAMES.get(name.strip().lower())


def find_split_in_name(name: str) -> str | None:
    """Return the split in a file name such as `k400_train_list.txt`, if there is exactly one."""
    splits = {parse_split(word) for word in re.split(r"[^A-Za-z]+", Path(name).stem)} - {None}
    return splits.pop() if len(splits) == 1 else None
