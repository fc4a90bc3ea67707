"""What all speed benchmarks share: flags, rounds by turns, medians and ratios, one JSON object.

A benchmark has sides, which do the same work in different ways. Every round runs each side once, in
turn, so that a machine that gets slower is slower for all of them; a first round is left out. What
is compared are ratios: the median of the ratios of each round.

A busy machine is refused with exit code 75 (EX_TEMPFAIL of sysexits.h: try again later), unless
`--busy-ok` is given; how busy it was is recorded in both cases. Benchmarks that measure CPU time
alone only note it. With `--json` one object is printed
to stdout, and the table to stderr; with `--json FILE` the object is written to the file:

    benchmark, date, machine, versions, load, settings
    sides    {name: {median, spread: [lower quartile, upper quartile], unit, values}}
    ratios   {name: number}
    better   {name of a ratio: "higher" or "lower"}
    spread   {name of a ratio: [lower quartile, upper quartile]}, where it has rounds
    notes    sentences; other names belong to single benchmarks
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from measuring.machine import LoadWatch, describe_machine, installed_versions, now

BUSY = 75
ROUNDS = 7
Value = TypeVar("Value")
Side = Callable[[], float]
"""Does the work of a side once, and returns what is measured: seconds, unless said otherwise."""
Rounds = Mapping[str, Sequence[float]]
"""The values of each side, one per round."""
Better = Literal["higher", "lower"]


def make_parser(
    doc: str | None, *, rounds: int = ROUNDS, has_device: bool = True
) -> argparse.ArgumentParser:
    """Return a parser with the flags of all benchmarks; `doc` is the docstring of one."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=_positive, default=rounds, help=f"default: {rounds}")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write JSON to FILE, or to stdout"
    )
    parser.add_argument(
        "--busy-ok",
        action="store_true",
        help=f"measure on a busy machine too, not exit with {BUSY}",
    )
    if has_device:
        parser.add_argument("--device", help="default: cuda if there is one, else cpu")
        parser.add_argument("--threads", type=_positive, help="of the CPU; default: torch's choice")
    return parser


class Result:
    """The figures of one benchmark.

    Creating it ends the program with exit code 75 if other programs keep the machine busy.

    Args:
        benchmark: Name of the benchmark.
        chosen: The parsed flags of `make_parser`; they are the settings in the JSON.
        packages: Installed packages whose versions matter.
        refuses: False for a benchmark of CPU time, which other programs disturb less.
    """

    def __init__(
        self, benchmark: str, chosen: argparse.Namespace, *packages: str, refuses: bool = True
    ) -> None:
        _prepare_file(chosen.json)
        self._watch = LoadWatch()
        reason = self._watch.busy_reason()
        if reason and refuses and not chosen.busy_ok:
            refuse(benchmark, reason)
        self._json: str | None = chosen.json
        self.device, threads = prepare_torch(chosen) if "device" in chosen else ("cpu", None)
        hidden = ("json", "busy_ok")
        settings = {n: _nameable(value) for n, value in vars(chosen).items() if n not in hidden}
        self.content: dict[str, Any] = {
            "benchmark": benchmark,
            "date": now(),
            "machine": describe_machine(self.device, threads),
            "versions": installed_versions(*packages),
            "load": {},
            "settings": settings | ({"device": self.device} if "device" in chosen else {}),
            **{name: {} for name in ("sides", "ratios", "better", "spread")},
            "notes": [f"The machine was busy: {reason}."] if reason else [],
        }

    def add_side(self, name: str, values: Sequence[float], unit: str = "s") -> None:
        """Add a side with its values of all rounds."""
        self.content["sides"][name] = {
            "median": _short(statistics.median(values)),
            "spread": _quartiles(values),
            "unit": unit,
            "values": [_short(value) for value in values],
        }

    def add_sides(self, rounds: Rounds, unit: str = "s") -> None:
        """Add several sides."""
        for name, values in rounds.items():
            self.add_side(name, values, unit)

    def add_ratio(
        self, name: str, values: float | Sequence[float], better: Better = "higher"
    ) -> None:
        """Add a ratio: its value, or the ratios of all rounds, of which the median counts."""
        if isinstance(values, Sequence):
            self.content["spread"][name] = _quartiles(values)
            values = statistics.median(values)
        self.content["ratios"][name] = _short(values)
        self.content["better"][name] = better

    def note(self, sentence: str) -> None:
        """Add a sentence for the reader."""
        self.content["notes"].append(sentence)

    def finish(self) -> None:
        """Print the table, and write or print the JSON."""
        self.content["load"] = self._watch.as_json()
        print(describe(self.content), file=sys.stderr if self._json == "-" else sys.stdout)
        text = json.dumps(self.content, indent=1) + "\n"
        if self._json == "-":
            print(text, end="")
        elif self._json:
            Path(self._json).write_text(text, encoding="utf-8")


def refuse(benchmark: str, reason: str) -> NoReturn:
    """End the program, because the machine is busy."""
    sys.stderr.write(
        f"{benchmark}: this machine is busy: {reason}. Times would mean little; wait until nothing"
        " else runs, or give --busy-ok.\n"
    )
    raise SystemExit(BUSY)


def run_rounds(
    sides: Mapping[str, Callable[[], Value]], rounds: int, *, warm_up: bool = True
) -> dict[str, list[Value]]:
    """Run every side once per round, in turn; the first round is left out if it is a warm-up."""
    values: dict[str, list[Value]] = {name: [] for name in sides}
    for number in range(rounds + warm_up):
        for name, side in sides.items():
            value = side()
            if number >= warm_up:
                values[name].append(value)
    return values


def quotients(numerators: Iterable[float], denominators: Iterable[float]) -> list[float]:
    """Return the ratio of each round."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def timed(work: Callable[[], object], device: str = "cpu") -> float:
    """Return the seconds that some work takes, on the device too."""
    start = time.perf_counter()
    work()
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()
    return time.perf_counter() - start


def prepare_torch(chosen: argparse.Namespace) -> tuple[str, int]:
    """Set the number of threads; return the device and the number."""
    import torch

    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    device = chosen.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return device, torch.get_num_threads()


def describe(content: Mapping[str, Any]) -> str:
    """Return the figures as lines for people."""
    machine, load = content["machine"], content["load"]
    share = load["other_cpu_during"]
    others = "an unknown share" if share is None else f"{share:.0%}"
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    lines = [
        f"{content['benchmark']}, {content['date']}, {machine.get('gpu') or machine['processor']}, "
        f"{machine['threads'] or machine['cores']} threads; {versions}; other programs used "
        f"{others} of the machine, load averages before {load['average_before']}"
    ]
    for name, side in content["sides"].items():
        low, high = side["spread"]
        lines.append(f"{name:44s} {side['median']:10.5g} {side['unit']:8s} {low:.4g} to {high:.4g}")
    lines += [
        f"{name:44s} {value:10.4g} times    ({content['better'][name]} is better)"
        for name, value in content["ratios"].items()
    ]
    return "\n".join([*lines, *content["notes"]])


def _quartiles(values: Sequence[float]) -> list[float]:
    if len(values) < 2:
        return [_short(values[0])] * 2
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return [_short(low), _short(high)]


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _prepare_file(name: str | None) -> None:
    """Make the folder of the JSON file, and fail now if it cannot be written, not at the end."""
    if name in (None, "-"):
        return
    path = Path(name or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise SystemExit(f"--json {path}: cannot be written: {error}") from error


def _nameable(value: object) -> object:
    """Return a setting as plain data; of paths the name alone, since folders are private."""
    if isinstance(value, list):
        return [_nameable(part) for part in value]
    return value.name if isinstance(value, Path) else value


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
