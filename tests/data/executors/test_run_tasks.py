"""Tasks run a few at a time, whatever their number; one that failed can be given out again."""

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from videomae_cli.data.executors import run_tasks as module
from videomae_cli.data.executors.run_tasks import run_tasks


def test_no_more_tasks_are_taken_than_may_be_submitted() -> None:
    taken: list[int] = []

    def take() -> int:
        taken.append(len(taken))
        return taken[-1]

    with ThreadPoolExecutor(2) as executor:
        squares = run_tasks(executor, lambda n: n * n, take, capacity=lambda: 5)
        for done, (task, future) in enumerate(squares, 1):
            assert future.result() == task * task
            assert len(taken) <= done + 5
            if done == 100:
                break


def test_a_task_that_failed_can_be_given_out_again() -> None:
    tasks, seen = deque(["a", "bad", "b"]), []

    def work(task: str) -> str:
        if task == "bad":
            raise ValueError(task)
        return task

    with ThreadPoolExecutor(1) as executor:
        for task, future in run_tasks(
            executor, work, lambda: tasks.popleft() if tasks else None, capacity=lambda: 1
        ):
            if future.exception():
                tasks.append("good")
            seen.append(task)

    assert seen == ["a", "bad", "b", "good"]


def test_tasks_that_wait_are_cancelled_when_the_caller_stops() -> None:
    started: list[int] = []
    release, futures = threading.Event(), []

    class Executor(ThreadPoolExecutor):
        def submit(self, *args: object, **kwargs: object) -> "Future[int]":  # type: ignore[override]
            futures.append(super().submit(*args, **kwargs))  # type: ignore[arg-type]
            return futures[-1]

    def work(task: int) -> int:
        started.append(task)
        if task:
            release.wait(30)
        return task

    tasks = iter(range(8))
    with Executor(1) as executor:
        results = run_tasks(executor, work, lambda: next(tasks, None), capacity=lambda: 4)
        next(results)
        results.close()
        release.set()

    assert len(started) <= 2
    assert sum(future.cancelled() for future in futures) >= 2


def test_the_check_is_made_while_no_task_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)
    release = threading.Event()

    def check() -> None:
        raise RuntimeError("no worker")

    with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError, match="no worker"):
        try:
            next(
                run_tasks(
                    executor,
                    lambda _: release.wait(30),
                    lambda: 1,
                    capacity=lambda: 1,
                    check=check,
                )
            )
        finally:
            release.set()
