"""Names of the splits train, val and test, as used in columns, folder names and file names."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(
        ("val", "valid", "validation", "validate", "validating", "dev", "development", "eval",
         "evaluation"), "val"
    ),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}  # fmt: skip
# in names of files and folders: trainlist01, test_split1, valset
_ENDINGS = ("", "list", "lists", "set", "split", "data", "videos", "files")
_WORDS = {
    name + ending: split
    for name, split in {**SPLIT_NAMES, "hold": "test"}.items()
    for ending in _ENDINGS
    if name != "hold" or ending == "out"
}

_OTHER_WORDS = ("fold", "folds", "kfold", "cv", "split", "splits", "subset")


def parse_split(name: str) -> str | None:
    """Return train, val or test for one of its usual names (`Train`, `hold-out`), else None."""
    text = re.sub(r"[\s_-]+", "", name.strip().lower())
    return SPLIT_NAMES.get(text)


def parse_split_folder(name: str) -> str | None:
    """Return the split of a folder called `train`, `val_videos` or `testset`, else None."""
    text = re.sub(r"[\s_-]+", "", name.strip().lower())
    return _WORDS.get(text)


@lru_cache(maxsize=1024)  # of lists whose rows all have the name of their file
def find_split_in_name(name: str) -> str | None:
    """Return the split in a file name such as `k400_train_list.txt`, if there is exactly one."""
    stem = re.sub(r"hold[_\s-]out", "holdout", Path(name).stem, flags=re.IGNORECASE)
    splits = {_WORDS.get(word) for word in _words(stem)}
    splits -= {None}
    return splits.pop() if len(splits) == 1 else None


def find_splits_in_paths(paths: Sequence[str]) -> list[str | None]:
    """Return the split of each path, from the first level with folders of two or more splits.

    Other folders of that level give None; the list is empty if there is no such level.
    """
    folders = [PurePosixPath(path.replace("\\", "/")).parts[:-1] for path in paths]
    for names in zip(*folders, strict=False):  # levels that all paths have
        splits = [parse_split_folder(name) for name in names]
        if len({*splits} - {None}) > 1:
            return splits
    return []


def names_a_split(name: str) -> bool:
    """Return whether a name speaks of splits, also in a way that is not understood: `is_train`."""
    return any(word in _WORDS or word in _OTHER_WORDS for word in _words(name))


def _words(name: str) -> list[str]:
    """Return the words of `train_list` and `trainList`, and the latter as one word too."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return [word.lower() for word in [*words, *re.split(r"[^A-Za-z]+", name)]]
