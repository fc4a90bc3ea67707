import os

import pytest

from videomae_cli.engine.runtime import Runtime


def test_each_machine_shares_out_its_own_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    with Runtime("fp32", cpu=True) as runtime:
        runtime.world = 32  # on four machines

        assert runtime.worker_count("auto") == 6
        assert runtime.worker_count(3) == 3
