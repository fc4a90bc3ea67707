import pytest

from tests.e2e import kill_loop


@pytest.mark.parametrize(
    ("kills", "terms"),
    [
        pytest.param(24, 4, marks=pytest.mark.slow),  # aims three times at every moment
        pytest.param(50, 10, marks=pytest.mark.grid),
    ],
)
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(
    kills: int, terms: int, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_loop.main(["--kills", str(kills), "--terms", str(terms)])

    told = capsys.readouterr().out
    assert f"{kills} SIGKILLs" in told
    assert f"{terms} SIGTERMs on two processes; the end is the same to the bit" in told
