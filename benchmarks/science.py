"""Try the claims of the papers at a small scale: each holds, fails, or cannot be told.

    python benchmarks/science.py --out runs/science --json benchmarks/results/science.json
    python benchmarks/science.py --out runs/science --claims tube-over-random-90 --seeds 0 1
    python benchmarks/science.py --out runs/science --minutes 30

Generated videos of eight camera motions; a tiny model is pretrained without labels, and measured by
a linear probe or by fine-tuning. Claims and arms are in benchmarks/lab/claims.py, the page is
docs/science.md (`python benchmarks/write_science.py`).

The arms of a seed share its videos, labels and test videos; an effect is the mean of the paired
differences of the seeds, with Student's 95 % interval. A claim holds if the whole interval is above
1 point, fails if it is below 0.

Finished arms are kept in --out, and an interrupted one continues where it stopped. With --minutes
nothing new is started after that time; the exit code is 75 if something is left to do.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lab import claims as table
from lab.results import Rows, make_document
from lab.training import Lab, make_data, measure_score

from videomae_cli import atomic
from videomae_cli.errors import Stopped, VideoMAEError
from videomae_cli.report import Silence
from videomae_cli.tasks.demo.parallel import ParallelTask, run_in_parallel

UNFINISHED = 75
SEEDS = (0, 1, 2, 3, 4)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/science"))
    parser.add_argument(
        "--claims", nargs="+", choices=table.CLAIM_NAMES, metavar="NAME", help="default: all"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--minutes", type=float, help="start nothing new after this time")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
    parser.add_argument("--quick", action="store_true", help="try the program; proves nothing")
    return parser.parse_args(words)


def list_tasks(lab: Lab, chosen: Sequence[table.Claim], seeds: Sequence[int]) -> list[ParallelTask]:
    """Return the tasks of all seeds, one seed after the other."""
    tasks = []
    scores = table.required_scores(chosen)
    videos = table.required_videos(scores)
    for seed in seeds:
        data = f"{seed} videos"
        is_done = all(lab.row_file(seed, score).is_file() for score in scores)
        if not is_done:
            tasks.append(ParallelTask(data, partial(make_data, lab, seed, videos)))
        for score in scores:
            arm, labels = table.split_score(score)
            needed = [] if is_done else [data]
            if labels is not None and arm != table.SCRATCH:
                needed.append(f"{seed} {arm}")
            function = partial(measure_score, lab, seed, score)
            tasks.append(ParallelTask(f"{seed} {score}", function, requires=tuple(needed)))
    return tasks


def run(flags: argparse.Namespace) -> int:
    """Measure what is missing, print the table, and return the exit code."""
    deadline = None if flags.minutes is None else time.time() + 60 * flags.minutes
    lab = Lab(flags.out, flags.quick, deadline)
    chosen = [claim for claim in table.CLAIMS if claim.name in (flags.claims or table.CLAIM_NAMES)]
    seeds = list(dict.fromkeys(flags.seeds))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # of the workers, NumPy's products included
    tasks = list_tasks(lab, chosen, seeds)
    done = run_in_parallel(tasks, _Lines(), workers=flags.workers, title="science")
    rows: Rows = {
        (row["score"], row["seed"]): row for row in done.values() if isinstance(row, dict)
    }
    content = make_document(chosen, rows, seeds, is_quick=flags.quick, workers=flags.workers)
    for name, result in content["claims"].items():
        print(f"{name:26s} {format_effect(result):28s} {result['verdict']}")
    if flags.json is not None:
        atomic.write_json(flags.json, content)
    missing = sum(1 for name, row in done.items() if row is None and not name.endswith(" videos"))
    if missing:
        _print_error(f"{missing} scores are left: run it again with the same --out")
    return UNFINISHED if missing else os.EX_OK


def format_effect(result: dict[str, object]) -> str:
    """Return an effect with its interval and the number of seeds."""
    effect, interval, differences = (result[name] for name in ("effect", "interval", "differences"))
    assert isinstance(differences, dict)
    if not isinstance(effect, float) or not isinstance(interval, list):
        return f"{len(differences)} seeds"
    return f"{effect:+.1f} [{interval[0]:+.1f}, {interval[1]:+.1f}], {len(differences)} seeds"


def main() -> int:
    """Run, and return the exit code."""
    flags = parse()
    try:
        return run(flags)
    except Stopped as error:
        _print_error(f"stopped; to continue, run it again with --out {flags.out}")
        return error.exit_code
    except VideoMAEError as error:
        _print_error(f"{error}")
        return error.exit_code


class _Lines(Silence):
    """A report that prints messages as lines to stderr."""

    def say(self, text: str) -> None:
        _print_error(text)

    def warn(self, text: str) -> None:
        _print_error(text)


def _print_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
