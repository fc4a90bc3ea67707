"""Shared fixtures, and hooks: reference material, short garbage collections, printable output."""

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from videomae_cli.report import encodable

if "PYTEST_XDIST_WORKER" in os.environ:
    # as many processes as cores: the threads that torch starts would only be in the way
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference outputs and real clips beside the checkout."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside the checkout: reference outputs and real clips are away")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the end-to-end tests first: they are long, and one worker then makes their data."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


_frozen_modules = 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Leave imported modules out of garbage collections.

    Every run collects garbage, some at each step; with torch, timm and 3,500 tests in memory, that
    takes as long as a short training.
    """
    global _frozen_modules
    if len(sys.modules) > _frozen_modules + 50:
        gc.collect()
        gc.freeze()
        _frozen_modules = len(sys.modules)


def pytest_unconfigure() -> None:
    """Return them to the collector: libraries in C complain of what is left at the end."""
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape names that are not UTF-8 in captured output: pytest-xdist 3.8 cannot send them."""
    report = yield
    report.sections = [(name, encodable(text)) for name, text in report.sections]
    if encodable(str(report.longrepr)) != str(report.longrepr):
        report.longrepr = encodable(str(report.longrepr))
    return report


@pytest.fixture(scope="session")
def _torchcodec() -> None:
    """Skip a test where torchcodec, or the FFmpeg that it needs, is not installed."""
    from videomae_cli.data.decoding.readers.torchcodec_reader import import_torchcodec
    from videomae_cli.errors import UsageError

    try:
        import_torchcodec()
    except UsageError as error:
        pytest.skip(f"needs torchcodec and the shared libraries of FFmpeg: {error.message}")
