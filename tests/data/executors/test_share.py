"""`--shard I/N` is counted from 0, and the shards of all jobs are the whole list."""

import pytest

from videomae_cli.data.executors.share import Share, parse_share
from videomae_cli.errors import UsageError


def test_a_shard_is_counted_from_zero() -> None:
    assert parse_share(None) == (0, 1)
    assert parse_share("0/1") == (0, 1)
    assert parse_share("0/8") == (0, 8)
    assert parse_share(" 7/8 ") == (7, 8)


@pytest.mark.parametrize(
    "text", ["8/8", "9/8", "-1/8", "0/0", "1/0", "0", "a/b", "", "1/2/3", "0.5/2", "0 / 2"]
)
def test_another_shard_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="expected I/N, with I from 0 to N - 1") as caught:
        parse_share(text)

    assert "--shard 0/4, 1/4" in caught.value.hint


@pytest.mark.parametrize("jobs", [1, 2, 3, 7, 30])
def test_the_shards_of_all_jobs_are_the_whole_list(jobs: int) -> None:
    items, shares = list(range(20)), [Share(number, jobs) for number in range(jobs)]

    dealt = [share.select(items) for share in shares]
    blocks = [share.block(items) for share in shares]

    assert sorted(item for part in dealt for item in part) == items
    assert [item for part in blocks for item in part] == items
    for parts in (dealt, blocks):
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_names_of_shards_sort_by_number() -> None:
    names = [Share(number, 12).name for number in range(12)]

    assert names == sorted(names)
    assert names[3] == "03-of-12"
    assert Share(0, 10).name == "0-of-10"
