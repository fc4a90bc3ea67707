"""Exact moments in a run: hooks of torch and of Python tell when they come, on any machine.

They are arranged in a process before it does anything; nothing of ours is replaced.
"""

import hashlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

BEING_SAVED = re.compile(r"\.step-\d+\.partial-\d+/optimizer\.safetensors$")
APART_SECONDS = 1.2  # two signals that are not one request passed on


class Moment(NamedTuple):
    """When a process sends itself signals."""

    event: Literal["micro-batch", "update", "validation", "save", "fork"]
    """In the forward pass of training or validation, after the optimizer, in a save, at a fork."""
    count: int = 1
    """How often the event has come since the process started."""
    numbers: tuple[int, ...] = (signal.SIGTERM,)
    ranks: tuple[int, ...] = (0,)
    """Which processes do so."""

    def arrange(self, rank: int) -> None:
        """Get ready, in the process of this rank."""
        if rank in self.ranks:
            {"update": self._after_updates, "save": self._at_audit, "fork": self._at_audit}.get(
                self.event, self._in_forward
            )(_Countdown(self.count, self.numbers))

    def _after_updates(self, came: Callable[[], None]) -> None:
        from torch.optim.optimizer import register_optimizer_step_post_hook

        register_optimizer_step_post_hook(lambda *_: came())

    def _in_forward(self, came: Callable[[], None]) -> None:
        _after_forward(self.event == "micro-batch", lambda _: came())

    def _at_audit(self, came: Callable[[], None]) -> None:
        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if self.event == "fork":
                is_it = event == "os.fork"
            else:
                is_it = event == "open" and bool(BEING_SAVED.search(str(arguments[0])))
            if is_it:
                came()

        sys.addaudithook(audit)


class Witness(NamedTuple):
    """Writes down what the model is trained on: a digest of each clip with its noise."""

    folder: Path

    def arrange(self, rank: int) -> None:
        """Get ready, in the process of this rank."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{rank}.txt"

        def note(inputs: list[Any]) -> None:
            rows = zip(*(tensor.cpu().numpy() for tensor in inputs), strict=True)
            digests = [hashlib.sha256(b"".join(r.tobytes() for r in row)) for row in rows]
            with file.open("a") as lines:
                lines.writelines(digest.hexdigest() + "\n" for digest in digests)

        _after_forward(True, note)

    def steps(self, world: int, share: int) -> list[list[str]]:
        """Return the digests of each step, when every process took `share` clips of it."""
        ranks = [(self.folder / f"{rank}.txt").read_text().split() for rank in range(world)]
        firsts = range(0, len(ranks[0]), share)
        return [[d for rank in ranks for d in rank[first : first + share]] for first in firsts]


class _Countdown:
    """Sends its process signals when it has been called so many times."""

    def __init__(self, count: int, numbers: tuple[int, ...]) -> None:
        self.left, self.numbers = count, numbers

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            for place, number in enumerate(self.numbers):
                time.sleep(APART_SECONDS if place else 0)
                os.kill(os.getpid(), number)


def _after_forward(is_training: bool, heed: Callable[[list[Any]], None]) -> None:
    """Call `heed` with the inputs of every forward pass of a model that trains, or does not."""
    from torch import Tensor
    from torch.nn.modules.module import register_module_forward_hook

    from videomae_cli.models.autoencoder import Autoencoder
    from videomae_cli.models.classifier import Classifier

    def hook(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        if isinstance(module, Autoencoder | Classifier) and module.training == is_training:
            inputs = (*args, *kwargs.values())
            heed([value for value in inputs if isinstance(value, Tensor)])

    register_module_forward_hook(hook, with_kwargs=True)
