"""Short lists in the encodings that people have: read right, refused, or the guess is printed."""

from pathlib import Path
from random import Random

import pytest

from videomae_cli.data.layouts.text import read_text
from videomae_cli.errors import DataError

NAMES = {
    "cp1252": ("sauter à la corde", "müde gähnen", "niño", "São Paulo", "fenêtre", "«naïf»", "run"),
    "shift_jis": ("走る", "手を振る", "表示する", "ジャンプする", "日/clip", "run"),
    "cp949": ("달리기", "점프하기", "손 흔들기", "run"),
    "gb18030": ("跳跃", "跑步", "挥手", "跑"),
}
OFTEN = {"cp1252": 0.8}  # least share of lists that are read without a question
LISTS = 20


@pytest.mark.parametrize("encoding", NAMES)
def test_the_encoding_of_a_short_list_is_found_or_asked_for(encoding: str, tmp_path: Path) -> None:
    rng, wrong, right = Random(0), [], 0
    for number in range(LISTS):
        names = rng.sample(NAMES[encoding], 3)
        text = "".join(f"clips/{name}/{k}.mp4,{name}\n" for name in names for k in range(3))
        path = tmp_path / f"{number}.csv"
        path.write_bytes(text.encode(encoding))

        assert read_text(path, encoding).content == text
        try:
            read = read_text(path)
        except DataError as error:
            assert "--encoding" in error.hint
            continue
        right += read.content == text
        wrong += [] if read.content == text else [read.guess]
        assert f"read as {read.encoding}, a guess" in read.guess and "--encoding" in read.guess
    assert wrong == []
    assert right >= OFTEN.get(encoding, 0) * LISTS
