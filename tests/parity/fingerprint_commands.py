"""Commands in this process, and what they show on the way: training steps and drawn panels.

Part of `fingerprint.py` beside this file. Hooks of torch and Pillow tell what happens; no name of a
module or function of the package is used but that of the package itself.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import runpy
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fingerprint_files import hash_of

PANEL = 150  # pixels, the least side of a panel; pictures in a legend are smaller


def videomae(words: str) -> dict[str, Any]:
    """Run a command in this process; return its exit code, JSON and the panels that it drew."""
    from PIL import Image

    output, panels, paste = io.StringIO(), set(), Image.Image.paste

    def noting_paste(self: Image.Image, picture: Any, *where: Any, **mask: Any) -> None:
        if isinstance(picture, Image.Image) and _is_panel(picture.size, self.size):
            panels.add(hash_of([picture.size, hashlib.sha256(picture.tobytes()).hexdigest()]))
        paste(self, picture, *where, **mask)

    code, sys.argv[1:] = 0, words.split()
    print("videomae", words, file=sys.stderr)
    Image.Image.paste = noting_paste
    try:
        with contextlib.redirect_stdout(output):
            runpy.run_module("videomae_cli", run_name="__main__", alter_sys=False)
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    except Exception:  # noqa: BLE001  (a fault of the version that is run is a result, too)
        traceback.print_exc()
        code = 1
    finally:
        Image.Image.paste = paste
    result = {"exit code": code, "json": json.loads(output.getvalue() or "null")}
    return result | ({"panels": sorted(panels)} if panels else {})


def _is_panel(size: tuple[int, int], paper: tuple[int, int]) -> bool:
    """Tell a drawn panel from a picture in a legend, and from a whole frame of a film."""
    return min(size) >= PANEL and size[0] < paper[0]


class StepHashes:
    """Hashes of what enters and leaves the outermost module, call by call, while it trains.

    Nothing is said about names or order of arguments: tensors are told apart by dtype and shape.
    """

    def __init__(self) -> None:
        from torch.nn.modules.module import (
            register_module_forward_hook,
            register_module_forward_pre_hook,
        )

        self.seen: dict[str, list[list[str]]] = {}
        self._depth, self._tokens = 0, False
        self._hooks = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, with_kwargs=True, always_call=True),
        ]

    def __enter__(self) -> "StepHashes":
        return self

    def __exit__(self, *exc: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _enter(self, module: Any, inputs: Any) -> None:
        self._depth += 1
        if self._depth == 1:
            self._tokens = module.training
        if self._tokens and type(module).__name__ == "LayerNorm":
            self._add("tokens", inputs)  # what the first block sees: the visible tokens, in order
            self._tokens = False

    def _leave(self, module: Any, args: Any, kwargs: Any, output: Any) -> None:
        self._depth -= 1
        if self._depth or not module.training:
            return
        inputs, outputs = list(_tensors((args, kwargs))), list(_tensors(output))
        self._add("clips", (t for t in inputs if t.ndim > 3))
        self._add("noise and labels", (t for t in inputs if t.ndim < 4 and t.is_floating_point()))
        self._add("masks", (t for t in outputs if not t.is_floating_point()))
        self._add("losses", (t for t in outputs if t.is_floating_point()))

    def _add(self, name: str, tensors: Iterable[Any]) -> None:
        self.seen.setdefault(name, []).append(sorted(map(hash_of, tensors)))


def _tensors(value: Any) -> Iterator[Any]:
    """Yield every tensor in nested containers."""
    from torch import Tensor

    if isinstance(value, Tensor):
        yield value.detach()
    elif isinstance(value, Mapping):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _tensors(inner)
    elif dataclasses.is_dataclass(value):
        yield from _tensors(tuple(vars(value).values()))
