import pytest

from tests.e2e import kill_loop


@pytest.mark.grid
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kill_loop.main(["--kills", "50", "--terms", "10"])

    told = capsys.readouterr().out
    assert "50 SIGKILLs" in told
    assert "10 SIGTERMs on two processes; the end is the same to the bit" in told
