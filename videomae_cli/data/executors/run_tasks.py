"""Run tasks with an executor of `concurrent.futures`, few at a time."""

from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
CHECK_SECONDS = 5.0


def run_tasks(
    executor: Executor,
    function: Callable[[Task], Result],
    next_task: Callable[[], Task | None],
    *,
    capacity: Callable[[], int],
    check: Callable[[], Any] = lambda: None,
) -> Generator[tuple[Task, "Future[Result]"], None, None]:
    """Yield each task and its future when it is done, in no fixed order.

    Only so many tasks are submitted at a time that the executor is busy, so that millions of them
    take no memory. Tasks that wait are cancelled if the caller stops early.

    Args:
        executor: Runs the tasks.
        function: Computes the result of a task; with a cluster, a function of a module.
        next_task: Returns the next task, None if there is none at the moment. It is asked again
            after each result, so that a task that failed can be given out again, in parts.
        capacity: Returns how many tasks may be submitted at a time.
        check: Is called now and then while no task ends; may raise an error.
    """
    pending: dict[Future[Result], Task] = {}
    try:
        while True:
            free = capacity() - len(pending)
            while free > 0 and (task := next_task()) is not None:
                pending[executor.submit(function, task)] = task
                free -= 1
            if not pending:
                return
            done, _ = wait(pending, timeout=CHECK_SECONDS, return_when=FIRST_COMPLETED)
            if not done:
                check()
            for future in [one for one in pending if one in done]:  # in the order of the tasks
                yield pending.pop(future), future
    finally:
        for future in pending:
            future.cancel()
