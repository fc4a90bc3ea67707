"""`videomae features` on a Dask cluster (`--scheduler`), which computes the shards of a run."""

from collections.abc import Sequence

from videomae_cli.data.executors.cluster_commands import drop_flags, explain_failure, run_shards
from videomae_cli.errors import DataError, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.features.features import FeatureResult, show_result
from videomae_cli.tasks.features.options import FeatureOptions
from videomae_cli.tasks.features.table import FACTS, read_features

# flags that are for this machine, and whether they have a value
OWN_FLAGS = {"--scheduler": True, "--json": False, "--plot": True, "--nearest": True, "-k": True}


def run(
    words: Sequence[str],
    scheduler: str,
    options: FeatureOptions,
    report: Report,
    inputs: Sequence[str] = (),
) -> FeatureResult:
    """Compute all features on a cluster; the shard that ends last writes the table.

    Args:
        words: The command line, after `videomae`.
        scheduler: Address of the scheduler.
        options: What the command line says.
        report: Shows the progress.
        inputs: Videos of the command line; none may be given.

    Raises:
        DataError: A shard fails.
        UsageError: There is no such cluster, or other options contradict it.
        Stopped: Ctrl-C; finished shard files are kept.
    """
    _check(options, inputs)
    words = drop_flags(words, OWN_FLAGS)
    for most in (None, 1):  # the second completes the table, if two ended at the same moment
        ended = run_shards(words, scheduler, report, most=most)
        for share, finished in ended.items():
            if finished.error:
                raise explain_failure(share, finished)
        if (options.out / FACTS).is_file():
            facts = read_features(options.out).facts
            rejected = tuple(str(reason) for reason in facts["rejected"])
            result = FeatureResult(options.out, True, facts, rejected)
            show_result(result, options, report)
            return result
    raise DataError(
        f"{options.out}: all shards have ended, and there is no {FACTS}",
        "check that the workers see this directory under the same path",
    )


def _check(options: FeatureOptions, inputs: Sequence[str]) -> None:
    """Raise a UsageError if other options contradict `--scheduler`."""
    if inputs:
        raise UsageError(
            "--scheduler needs prepared videos, because every worker must know all of them",
            "videomae prepare VIDEOS --out data/mine --scheduler ADDRESS, then --data data/mine",
        )
    if options.share.jobs > 1:
        raise UsageError("--shard and --scheduler are both given", "leave out one of them")
