"""Numbers, times and sizes as text for people."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def si(number: float) -> str:
    """Format a number with three significant digits and an SI prefix: 86.2 M."""
    for size, prefix in _PREFIXES:
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g} "


def plural(count: int, noun: str = "video") -> str:
    """Format a number and its noun, such as `1 video`, `1,200 videos` or `2 classes`."""
    ending = "es" if noun.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{count:,} {noun}{'' if count == 1 else ending}"


def seconds(value: float) -> str:
    """Format seconds, as milliseconds below one second."""
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def duration(hours: float) -> str:
    """Format hours, as minutes below one hour, and with days from two days on."""
    if hours < 1:
        return f"{60 * hours:.3g} minutes"
    return f"{hours:,.1f} hours" + (f" ({hours / 24:.1f} days)" if hours >= 48 else "")
