"""The grammar of lists and tables: sources drawn at random, each with its truth."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from tests.data.layouts.drawn_source import EITHER, RANDOM, ROOT, DrawnSource, Truth
from tests.data.layouts.prepared import LENGTHS
from tests.data.layouts.written_list import CLASS_FILES, Style, write_class_file

LATIN = ("run", "wave", "jump high", "éternuer", "müde gähnen", "sit, then stand", "don't")
JAPANESE = ("run", "走る", "手を振る", "表示する", "ジャンプする")
QUOTES = 'the "V" sign'  # a class name for tables, in which quotes are doubled
CODE_PAGES = ("cp1252", "shift_jis")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252", "shift_jis")
STEMS = ("v", "clip ", "a,b ", "x.y-", "00")
ENDINGS = (".mp4", ".mkv", ".avi")
COLUMNS = (
    *(("path", "label"),) * 5,
    ("path",),
    ("path", "frames", "label"),  # VideoMAE V2, MMAction2
    ("path", "start", "whole"),  # VideoMAE V2, pretraining
)
TITLES = {
    "path": ("path", "video", "File", "filename", "video_path", "Video Path", "CLIP"),
    "label": ("label", "class", "Category", "ACTION", "Label"),
    "split": ("split", "subset", "Set", "partition"),
    "name": ("label_name", "Class Name", "category_name"),
    "index": ("", "Unnamed: 0"),  # of pandas
}
INDEX = "index|unnamed|no name|without a name|empty|column 1|''"
UNUSED = {"camera": "left", "operator": "B. Smith", "notes": "dark, wet"}
SPLIT_WORDS = {
    "train": ("train", "training", "Train"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing", "Test", "holdout"),
}
LIST_NAMES = (
    {"train": "train", "val": "val", "test": "test"},
    {"train": "kinetics_train_list", "val": "kinetics_val_list", "test": "kinetics_test_list"},
    {"train": "Training", "val": "validation", "test": "testing"},
    {"train": "train", "val": "dev", "test": "test"},
    {"train": "train", "val": "eval", "test": "holdout"},
    {"train": "trainlist01", "val": "vallist01", "test": "testlist01"},
    {"train": "hmdb_train_split_1", "val": "hmdb_val_split_1", "test": "hmdb_test_split_1"},
)


class Clip(NamedTuple):
    """A clip, before it is written into a list."""

    path: str
    number: int
    """Of its class, from 0."""
    split: str


class Content(NamedTuple):
    """What the lists say."""

    names: list[str]
    clips: list[Clip]
    splits: list[str]
    spoken: str
    """Where the split is given: "nowhere", "one list", "lists" or "column"."""
    encoding: str
    ending: str


class Labels(NamedTuple):
    """How classes are written, and how they must be read."""

    written: list[str]
    """By number of the class."""
    names: list[str]
    class_file: tuple[str, str] | None = None


class Form(NamedTuple):
    """How the lists say it."""

    style: Style
    columns: tuple[str, ...]
    titles: dict[str, str] | None
    """Header of each column; None: no header."""
    lead: str
    """Before each path."""
    is_short: bool
    """Whether paths have no endings."""
    folder: str
    list_names: dict[str, str]
    words: dict[str, str]
    """In a column of splits, by split."""


def draw_content(rng: Random, places: Sequence[str], latin: Sequence[str]) -> Content:
    """Draw two to four classes with two to four clips each, at least one for each split."""
    encoding = rng.choice(ENCODINGS)
    alphabet = {"cp1252": latin, "shift_jis": JAPANESE}.get(encoding, (*latin, *JAPANESE[1:]))
    names = rng.sample(alphabet, rng.randint(2, 4))
    spoken = rng.choice(places)
    splits = ["train"]
    if spoken in ("lists", "column"):
        splits += rng.choice((["val"], ["test"], ["val", "test"]))
    stem, ending = rng.choice(STEMS), rng.choice(ENDINGS)
    special = "日/" if encoding == "shift_jis" else "Día 1/"
    folder = rng.choice(("", "my clips/", "{}/", special))
    clips = []
    for number, name in enumerate(names):
        where = folder.format(name)
        count = rng.randint(max(2, len(splits)), 4)
        clips += [
            Clip(f"{where}{stem}{number}{k}{ending}", number, splits[k % len(splits)])
            for k in range(count)
        ]
    return Content(names, rng.sample(clips, len(clips)), splits, spoken, encoding, ending)


def draw_labels(rng: Random, names: list[str]) -> Labels:
    """Draw the labels of classes: names or numbers, with or without a file of class names."""
    kind = rng.choice(("names", "names", "0", "0", "1", "0.0"))
    if kind == "names":
        return Labels(names, names)
    start = int(kind == "1")
    written = [f"{start + number}{kind[1:]}" for number in range(len(names))]
    form = rng.choice((None, *CLASS_FILES))
    if form is None:
        return Labels(written, [str(start + number) for number in range(len(names))])
    return Labels(written, names, write_class_file(form, names, start))


def draw_style(rng: Random, separators: Sequence[str], *, has_names: bool) -> Style:
    """Draw how lines are written; names beside paths with blanks need quotes."""
    separator = rng.choice(separators)
    is_blank = separator in (" ", "  ")
    quotes = ("", "", '"')
    if is_blank:
        quotes = ("'", '"') if has_names else ("", "", "'", '"')
    elif separator == "::":
        quotes = ("",)
    return Style(
        separator=separator,
        quote=rng.choice(quotes),
        quotes_all=(is_blank and has_names) or rng.random() < 0.5,
        newline=rng.choice(("\n", "\n", "\r\n")),
        has_blank_lines=rng.randint(0, 3) == 0,
        ends_with_newline=rng.random() < 0.5,
    )


def draw_form(rng: Random, content: Content, labels: Labels, *, is_table: bool) -> Form:
    """Draw columns, paths, names of files, words."""
    separators = (",", "\t", ";") if is_table else (" ", "  ", "\t", ",", ", ", "::")
    has_names = labels.written == content.names
    style = draw_style(rng, separators, has_names=has_names)
    columns = ("path", "label") if is_table else rng.choice(COLUMNS)
    if len(columns) > 2 and (has_names or not style.separator.isspace()):
        columns = ("path", "label")
    titles = None
    if is_table:
        unused = rng.sample(sorted(UNUSED), rng.randint(0, 2))
        split = ["split"] * (content.spoken == "column")
        named = ["name"] * (labels.written != content.names and rng.randint(0, 3) == 0)
        index = ["index"] * (rng.randint(0, 4) == 0)
        mixed = [*columns, *split, *named, *unused]
        columns = (*index, *rng.sample(mixed, len(mixed)))
        titles = {name: rng.choice(TITLES.get(name, (name,))) for name in columns}
    lead = rng.choice(("", "", "", "./", f"{ROOT}/"))
    is_short = columns == ("path", "label") and rng.randint(0, 6) == 0
    folder = rng.choice(("clips", "lists"))
    ending = rng.choice((".csv", ".tsv", ".txt") if is_table else (".txt", ".csv"))
    stems = rng.choice(LIST_NAMES)
    if content.spoken in ("nowhere", "column"):
        stems = {"train": rng.choice(("videos", "list", "labels", "my data"))}
    list_names = {split: f"{folder}/{stem}{ending}" for split, stem in stems.items()}
    words = {split: rng.choice(SPLIT_WORDS[split]) for split in SPLIT_WORDS}
    return Form(style, columns, titles, lead, is_short, folder, list_names, words)


def draw_list(rng: Random, *, is_table: bool) -> DrawnSource:
    """Draw a list without header, or a table with one; or several, one for each split."""
    places = ("nowhere", "one list", "lists", "lists") + ("column",) * 2 * is_table
    content = draw_content(rng, places, (*LATIN, QUOTES) if is_table else LATIN)
    labels = draw_labels(rng, content.names)
    form = draw_form(rng, content, labels, is_table=is_table)
    is_labelled = "label" in form.columns
    if not is_labelled or "name" in form.columns:
        labels = Labels(labels.written, content.names)
    texts = {}
    for split in content.splits if content.spoken == "lists" else ["train"]:
        listed = [
            (clip, LENGTHS[position % len(LENGTHS)])
            for position, clip in enumerate(content.clips)
            if content.spoken != "lists" or clip.split == split
        ]
        text = write_list(listed, content, labels, form)
        texts[form.list_names[split]] = (text, content.encoding)
    options: dict[str, object] = {} if form.folder == "clips" else {"root": "clips"}
    if labels.class_file:
        name, text = labels.class_file
        texts[f"meta/{name}"] = (text, "utf-8")
        options["classes"] = f"meta/{name}"
    is_code_page = content.encoding in CODE_PAGES and not all(
        t.isascii() for t, _ in texts.values()
    )
    if is_code_page and rng.random() < 0.5:
        options["encoding"] = content.encoding
    is_folder = content.spoken == "lists" or rng.random() < 0.5
    has_others = form.folder == "clips" and rng.randint(0, 2) == 0
    return DrawnSource(
        kind="table" if is_table else "list",
        texts=texts,
        truth=find_truth(content, labels, form),
        source=form.folder if is_folder else form.list_names["train"],
        others=("extra.mp4",) if has_others else (),
        options=options,
        patterns=find_patterns(content, form, has_others and is_folder),
        classes=tuple(labels.names) if is_labelled and labels.written != content.names else None,
        is_guess=is_code_page and "encoding" not in options,
    )


def write_list(listed: list[tuple[Clip, int]], content: Content, labels: Labels, form: Form) -> str:
    """Return the text of one list; each clip comes with its number of frames."""
    rows = [] if form.titles is None else [[form.titles[name] for name in form.columns]]
    for place, (clip, frames) in enumerate(listed):
        path = clip.path.removesuffix(content.ending) if form.is_short else clip.path
        cells = {
            **UNUSED,
            "path": form.lead + path,
            "label": labels.written[clip.number],
            "name": content.names[clip.number],
            "index": str(place),
            "frames": str(frames),
            "start": "0",
            "whole": "-1",
            "split": form.words[clip.split],
        }
        rows.append([cells[name] for name in form.columns])
    return form.style.write(rows)


def find_truth(content: Content, labels: Labels, form: Form) -> dict[str, Truth]:
    """Return what must become of each clip."""
    is_labelled = "label" in form.columns
    truth = {}
    for clip in content.clips:
        name = labels.names[clip.number] if is_labelled else None
        splits: tuple[str, ...] = (clip.split,)
        word = form.list_names.get(clip.split, "").rpartition("/")[2].partition(".")[0]
        if content.spoken == "column":
            word = form.words[clip.split]
        if word in ("eval", "holdout"):
            splits = EITHER
        if content.spoken == "nowhere" and is_labelled:
            splits = RANDOM
        truth[clip.path] = Truth((name,), splits, word if splits != RANDOM else "")
    return truth


def find_patterns(content: Content, form: Form, has_unlisted: bool) -> tuple[str, ...]:
    """Return what the lines must name."""
    unused = [rf"\b{name}\b" for name in form.columns if name in UNUSED]
    unused += [INDEX] * ("index" in form.columns)
    drawn = ["drawn|random"] * (content.spoken == "nowhere" and "label" in form.columns)
    unlisted = [r"extra\.mp4|\b1\b.* not (listed|in|used|named)"] * has_unlisted
    return (*unused, *drawn, *unlisted)
