"""The benchmarks are programs beside the package: their folder is made importable here."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make the modules of benchmarks/ importable, only during a test; return the folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield BENCHMARKS
    # other programs have modules of names such as `evaluate` too
    ours = [
        name
        for name, module in sys.modules.items()
        if BENCHMARKS in Path(getattr(module, "__file__", None) or "").parents
    ]
    for name in ours:
        del sys.modules[name]
