"""Findings about lengths, rates, sizes and colours."""

from collections import Counter
from collections.abc import Iterator

from videomae_cli.tasks.prepare.health.finding import (
    DataSet,
    Example,
    Finding,
    Item,
    Severity,
    first,
)
from videomae_cli.tasks.prepare.summary import SHORT_FRAMES
from videomae_cli.units import plural

RATE_RATIO = 1.5
SMALL_SIDE = 112  # half of the usual 224: such frames are enlarged at least twice
LONG_RATIO = 3.0
# words of a note on a video: name of the finding, severity, what it is, what to do
NOTES: dict[str, tuple[str, Severity, str, str]] = {
    "variable frame rate": (
        "variable-rate",
        "warning",
        "with a variable frame rate: frames taken by number are at unequal times",
        "take frames by time: --set clip.stride_frames=null --set clip.fps=8",
    ),
    "HDR": (
        "hdr",
        "warning",
        "in HDR, decoded as they are: paler than the rest",
        "convert them to SDR: ffmpeg -i IN -vf zscale=t=linear,tonemap=hable,zscale=t=bt709:m=bt709"
        ",format=yuv420p OUT.mp4",
    ),
    "interlaced": (
        "interlaced",
        "warning",
        "interlaced: moving edges look like combs",
        "deinterlace them: ffmpeg -i IN -vf bwdif OUT.mp4",
    ),
    "non-square pixels": (
        "non-square-pixels",
        "note",
        "with pixels that are not square, used as stored: narrower or wider than a player shows",
        "make them square: ffmpeg -i IN -vf scale=iw*sar:ih,setsar=1 OUT.mp4",
    ),
}


def find_short(data: DataSet) -> Iterator[Finding]:
    """Report videos that are shorter than a usual clip."""
    short = [item for item in data.items if item.video.frames < SHORT_FRAMES]
    short.sort(key=lambda item: item.video.frames)
    if short:
        yield Finding(
            "short",
            "warning",
            len(short),
            f"{plural(len(short))} shorter than {SHORT_FRAMES} frames (16 x 4, a usual clip)",
            "take frames closer together: --set clip.stride_frames=2 (or 1); for the rest,"
            " clip.short decides what happens",
            first(Example(item.path, plural(item.video.frames, "frame")) for item in short),
        )


def find_noted(data: DataSet) -> Iterator[Finding]:
    """Report videos with a variable rate, HDR, interlaced frames or non-square pixels."""
    for words, (name, severity, what, action) in NOTES.items():
        found = [
            Example(item.path, note)
            for item in data.items
            for note in item.notes
            if note.startswith(words)
        ]
        if found:
            text = f"{plural(len(found))} {what}"
            yield Finding(name, severity, len(found), text, action, first(found))


def find_mixed_rates(data: DataSet) -> Iterator[Finding]:
    """Report a data set whose clips of equally many frames last unequally long."""
    # rounded to significant digits: a rate of one frame in an hour is no rate of zero
    rates = Counter(float(f"{item.video.fps:.4g}") for item in data.items if item.video.fps > 0)
    if not rates or max(rates) < RATE_RATIO * min(rates):
        return
    usual = rates.most_common(1)[0][0]
    others = [item for item in data.items if item.video.fps > 0 and _is_other(item, usual)]
    slow, fast = (SHORT_FRAMES / rate for rate in (min(rates), max(rates)))
    if not others:
        return
    yield Finding(
        "mixed-rates",
        "note",
        len(others),
        f"frame rates from {min(rates):g} to {max(rates):g} per second: a clip of {SHORT_FRAMES}"
        f" frames lasts {fast:.1f} to {slow:.1f} s; {plural(len(others))} far from the usual"
        f" {usual:g}",
        "take frames by time: --set clip.stride_frames=null --set clip.fps=8",
        first(Example(item.path, f"{item.video.fps:.4g} frames per second") for item in others),
    )


def _is_other(item: Item, usual: float) -> bool:
    return max(item.video.fps, usual) >= RATE_RATIO * min(item.video.fps, usual)


def find_unusual_sizes(data: DataSet) -> Iterator[Finding]:
    """Report frames that are much smaller than a clip, or very long."""
    found = [item for item in data.items if _is_small(item) or _is_long(item)]
    if found:
        yield Finding(
            "unusual-sizes",
            "note",
            len(found),
            f"{plural(len(found))} with a side below {SMALL_SIDE} pixels, or one side more than"
            f" {LONG_RATIO:g} times the other",
            "small frames are enlarged to the clip, and of long ones a crop shows only a part:"
            " see one with videomae visualize-mask",
            first(
                Example(item.path, f"{item.video.width} x {item.video.height} pixels")
                for item in found
            ),
        )


def _is_small(item: Item) -> bool:
    return min(item.video.width, item.video.height) < SMALL_SIDE


def _is_long(item: Item) -> bool:
    sides = item.video.width, item.video.height
    return max(sides) > LONG_RATIO * min(sides)
