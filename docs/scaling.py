"""Write the tables of `docs/scaling.md` and draw its figure.

`python docs/scaling.py` writes both; with `--check` it only compares the tables, and exits 1 when
they are stale. The arithmetic is in `scaling_model.py`, what it assumes in `scaling_machine.py`,
the published times are in `scaling_published.py`.
"""

import re
import sys
from pathlib import Path

from scaling_machine import GUESSES, machine
from scaling_model import hours
from scaling_tables import TABLES, models

PAGE = Path(__file__).resolve().parent / "scaling.md"
COLOURS = {"ViT-B": "#2563eb", "ViT-L": "#d97706", "ViT-g": "#475569"}


def page(old: str) -> str:
    """Return the page with every table in its place."""
    for name, write in TABLES.items():
        begin, end = f"<!-- {name}: written by scaling.py -->", f"<!-- end of {name} -->"
        assert old.count(begin) == old.count(end) == 1, name
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text = f"{begin}\n\n{write()}\n\n{end}"
        old = pattern.sub(lambda _, text=text: text, old)
    return old


def draw(path: Path) -> None:
    """Draw hours over GPUs: the likely line, the band between slow and fast, perfect scaling."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    counts = [2**power for power in range(3, 10)]
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, gpu in ((left, "A100"), (right, "H100")):
        for name, job in models().items():
            lines = [[hours(job, machine(gpu, guess), n) for n in counts] for guess in GUESSES]
            perfect = [lines[1][0] * counts[0] / n for n in counts]
            axes.fill_between(
                counts, lines[0], lines[2], color=COLOURS[name], alpha=0.12, linewidth=0
            )
            axes.plot(counts, lines[1], color=COLOURS[name], marker=".", label=name)
            axes.plot(counts, perfect, color=COLOURS[name], linestyle=":", linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(counts, [str(n) for n in counts])
        axes.set_xlabel(f"{gpu}s")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e5e7eb", linewidth=0.8)
        axes.set_axisbelow(True)
    left.set_ylabel("hours of the whole recipe")
    left.legend(frameon=False, fontsize=9)
    figure.suptitle(
        "Predicted, not measured: likely (line), slow to fast (band), perfect from 8 GPUs (dots)",
        fontsize=10,
        x=0.02,
        ha="left",
    )
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main(arguments: list[str], path: Path = PAGE) -> int:
    """Write page and picture, or with `--check` say whether the tables are stale."""
    old = path.read_text(encoding="utf-8")
    new = page(old)
    if arguments == ["--check"]:
        if new != old:
            sys.stderr.write(f"{path.name} is stale: run python docs/scaling.py\n")
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    draw(path.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
