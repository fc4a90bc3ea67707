"""The grammar of folders of videos, and UCF101's lists: drawn at random, each with its truth."""

from random import Random

from tests.data.layouts.drawn_source import EITHER, RANDOM, DrawnSource, Truth

CLASSES = ("run", "wave", "jump high", "éternuer", "sit, then stand", "走る", "10", "train")
ENDINGS = (".mp4", ".MKV", ".avi")
SPLITS = {
    "train": ("train", "training", "Train"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "holdout", "eval"),
}
JUNK = {"notes.txt": "filmed in May\n", "Thumbs.db": "x", "LICENSE": "free", "info.json": "{}"}
SHAPES = (
    *("class", "class", "numbers", "split/class", "class/split", "class/subject"),
    *("stray", "flat", "split", "ucf", "ucf"),
)


def draw_folder(rng: Random) -> DrawnSource:
    """Draw a folder of videos, perhaps with files beside them that are not videos."""
    shape, ending = rng.choice(SHAPES), rng.choice(ENDINGS)
    if shape == "ucf":
        return draw_ucf_lists(rng)
    truth = draw_tree(rng, shape, ending)
    others = (f"stray{ending}",) if shape == "stray" else ()
    junk = rng.sample(sorted(JUNK), rng.randint(0, 2))
    place = rng.choice(("", next(iter(truth)).rpartition("/")[0] + "/")).lstrip("/")
    texts = {f"clips/{place}{name}": (JUNK[name], "utf-8") for name in junk}
    patterns = [rf"{name.rpartition('.')[2]}|without (a )?suffix" for name in junk]
    is_drawn = any(one.splits == RANDOM for one in truth.values())
    names = {one.names[0] for one in truth.values()} - {None}
    return DrawnSource(
        kind=f"folder: {shape}",
        texts=texts,
        truth=truth,
        source="clips",
        others=others,
        patterns=(*patterns, *["drawn|random"] * is_drawn, *["stray|directly"] * bool(others)),
        classes=tuple(sorted(names, key=int)) if shape == "numbers" else None,
    )


def draw_tree(rng: Random, shape: str, ending: str) -> dict[str, Truth]:
    """Draw the clips of a folder."""
    names = rng.sample(CLASSES, rng.randint(2, 4))
    if shape == "numbers":
        names = list(map(str, range(rng.randint(11, 12))))
    words = {split: rng.choice(SPLITS[split]) for split in SPLITS}
    splits = ["train", *rng.choice((["val"], ["test"], ["val", "test"]))]
    stem = rng.choice(("v", "clip ", "a, b "))
    truth = {}
    for name in names:
        for k in range(rng.randint(max(2, len(splits)), 4)):
            split = splits[k % len(splits)]
            path, label, is_given = {
                "split/class": (f"{words[split]}/{name}/", name, True),
                "class/split": (f"{name}/{words[split]}/", name, True),
                "class/subject": (f"{name}/person{k % 2}/", name, False),
                "flat": ("", None, False),
                "split": (f"{words[split]}/", None, True),
            }.get(shape, (f"{name}/", name, False))
            expected = (split,) if is_given else RANDOM
            if words[split] in ("holdout", "eval") and is_given:
                expected = EITHER
            if shape == "flat":
                expected = ("train",)
            truth[f"{path}{stem}{name.replace(',', '')}{k}{ending}"] = Truth(
                (label,), expected, words[split] if is_given else ""
            )
    return truth


def draw_ucf_lists(rng: Random) -> DrawnSource:
    """Draw UCF101's lists: numbers from 1 for training, bare paths for the test."""
    names = sorted(rng.sample(("Archery", "BabyCrawling", "Biking", "YoYo"), rng.randint(2, 4)))
    number = rng.choice(("01", "02"))
    truth, lists = {}, {"train": "", "test": ""}
    for place, name in enumerate(names, 1):
        for k in range(4):
            path = f"{name}/v_{name}_g0{k}_c01.avi"
            if k:
                truth[path] = Truth((name, str(place)), ("train",))
                lists["train"] += f"{path} {place}\r\n"
            else:
                truth[path] = Truth(
                    (None, name, str(place)), ("test",), left_out=rf"testlist{number}"
                )
                lists["test"] += f"{path}\n"
    texts = {
        f"ucfTrainTestlist/{split}list{number}.txt": (t, "utf-8") for split, t in lists.items()
    }
    index = "".join(f"{place} {name}\r\n" for place, name in enumerate(names, 1))
    texts["ucfTrainTestlist/classInd.txt"] = (index, "utf-8")
    options: dict[str, object] = {"root": "clips"}
    patterns = ["classInd"]
    if rng.random() < 0.5:
        options["classes"], patterns = "ucfTrainTestlist/classInd.txt", []
    return DrawnSource(
        kind="UCF101's lists",
        texts=texts,
        truth=truth,
        source="ucfTrainTestlist",
        options=options,
        patterns=tuple(patterns),
    )
