"""Run tasks on the workers of a Dask cluster that is running already.

Workers and this process have the same software and see the same files under the same paths. A task
whose worker dies is given to another worker, by the scheduler of the cluster.
"""

import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import closing, contextmanager
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from videomae_cli.data.executors.run_tasks import run_tasks
from videomae_cli.errors import DataError, UsageError, VideoMAEError
from videomae_cli.report import Report
from videomae_cli.units import plural

Task = TypeVar("Task")
Result = TypeVar("Result")
ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://.+:\d+")
CONNECT_SECONDS = 5.0
WORKER_SECONDS = 30.0  # a worker may start when the scheduler does, and imports for seconds
WORKER_SECONDS = 60.0  # how long no worker may be connected
COUNT_SECONDS = 2.0  # how often workers are counted; some may join during a run
TASKS_PER_THREAD = 2  # submitted at a time: one that runs and one that waits
COMPARED = ("python", "dask", "distributed", "cloudpickle", "msgpack")
START = "dask scheduler, and on each machine: dask worker tcp://HOST:8786"
SAME = (
    "install the same packages for the scheduler and all workers: pip install 'videomae[cluster]'"
)


class WorkerDied(Exception):  # noqa: N818  (what happened to a task, for the code that gave it out)
    """Every worker that a task was given to has died."""


class Cluster:
    """A connection to a cluster; see `connect_cluster`."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self.address = client, address
        self._counted, self._counted_at = 0, -COUNT_SECONDS
        self._seen_at = time.monotonic()

    def count_threads(self) -> int:
        """Return how many tasks the workers run at a time."""
        now = time.monotonic()
        if now - self._counted_at >= COUNT_SECONDS:
            self._counted = sum(self._client.nthreads().values())
            self._counted_at = now
            self._seen_at = now if self._counted else self._seen_at
        return self._counted

    def run(
        self, function: Callable[[Task], Result], next_task: Callable[[], Task | None]
    ) -> Iterator[tuple[Task, Callable[[], Result]]]:
        """Yield each task when it is done, in no fixed order, with a function for its result.

        The function raises what the task has raised, or `WorkerDied`.

        Args:
            function: A function of a module, that may run twice for the same task.
            next_task: See `run_tasks`.

        Raises:
            DataError: All workers are gone, or the scheduler is.
        """
        executor: Executor = self._client.get_executor(pure=False)
        with closing(
            run_tasks(
                executor,
                function,
                next_task,
                capacity=self._count_tasks,
                check=self._check_workers,
            )
        ) as results:
            for task, future in results:
                yield task, partial(self._result, future)

    def _count_tasks(self) -> int:
        with self._explained():
            return TASKS_PER_THREAD * max(self.count_threads(), 1)

    def _check_workers(self) -> None:
        with self._explained():
            threads = self.count_threads()
        if threads == 0 and time.monotonic() - self._seen_at > WORKER_SECONDS:
            raise DataError(
                f"no worker is left at {self.address} for {WORKER_SECONDS:.0f} s",
                "start workers, and run the same command again: it continues",
            )

    def _result(self, future: "Future[Result]") -> Result:
        from distributed.scheduler import KilledWorker

        with self._explained():
            try:
                return future.result()
            except KilledWorker as error:
                raise WorkerDied(str(error)) from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the cluster in this block into a DataError."""
        try:
            yield
        except (VideoMAEError, WorkerDied):
            raise
        except (CancelledError, OSError, TypeError) as error:
            if isinstance(error, TypeError) and self._client.status == "running":
                raise
            raise DataError(
                f"the connection to the scheduler at {self.address} is lost",
                "start it, and run the same command again: it continues",
            ) from error
        except (ImportError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "deserializ" not in str(error):
                raise
            raise DataError(
                f"a task cannot be read at {self.address}: {error.__cause__ or error}", SAME
            ) from error


@contextmanager
def connect_cluster(address: str, report: Report) -> Iterator[Cluster]:
    """Connect to the scheduler of a cluster; different software is reported as a warning.

    Raises:
        UsageError: No address of a scheduler, no scheduler answers there, it has no workers, or
            `distributed` is not installed.
    """
    distributed = _import_distributed()
    if not ADDRESS.fullmatch(address):
        raise UsageError(
            f"--scheduler {address}: not the address of a Dask scheduler",
            "give the address that `dask scheduler` prints: --scheduler tcp://HOST:8786",
        )
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are reported here
    client = _connect(distributed, address)
    try:
        cluster = Cluster(client, address)
        threads = _wait_for_workers(cluster)
        for line in compare_versions(client.get_versions()):
            report.warn(line)
        workers = len(client.nthreads())
        report.say(f"{address}: {plural(workers, 'worker')}, {plural(threads, 'task')} at a time")
        yield cluster
    finally:
        client.close(timeout=CONNECT_SECONDS)


def _import_distributed() -> ModuleType:
    try:
        import distributed
    except ImportError as error:
        raise UsageError(
            "--scheduler needs the package distributed", "pip install 'videomae[cluster]'"
        ) from error
    module: ModuleType = distributed
    return module


def _connect(distributed: ModuleType, address: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions; `compare_versions` reports them
            return distributed.Client(
                address, timeout=CONNECT_SECONDS, set_as_default=False, name="videomae"
            )
    except (OSError, ValueError, ImportError) as error:  # a TimeoutError is an OSError
        raise UsageError(
            f"--scheduler {address}: no scheduler answers within {CONNECT_SECONDS:.0f} s",
            f"start one, and its workers: {START}",
        ) from error


def _wait_for_workers(cluster: Cluster) -> int:
    deadline = time.monotonic() + WORKER_SECONDS
    while not (threads := cluster.count_threads()):
        if time.monotonic() > deadline:
            raise UsageError(
                f"--scheduler {cluster.address}: no worker is connected to it",
                f"start one on each machine: dask worker {cluster.address}",
            )
        time.sleep(0.1)
    return threads


def compare_versions(found: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each package whose version is not the same everywhere.

    Args:
        found: As `Client.get_versions` returns it: `scheduler`, `client`, and `workers` by address.
    """
    here = found["client"]["packages"]
    others = {"the scheduler": found["scheduler"], **found["workers"]}
    for name in COMPARED:
        wrong = {
            place: facts["packages"].get(name)
            for place, facts in others.items()
            if facts and facts["packages"].get(name) != here.get(name)
        }
        if wrong:
            place, version = next(iter(wrong.items()))
            more = f" and at {len(wrong) - 1} other places" if len(wrong) > 1 else ""
            yield (
                f"{name} is {here.get(name)} here and {version} at {place}{more}: tasks may fail;"
                " install the same everywhere"
            )
