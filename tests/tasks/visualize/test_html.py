"""The page holds all it needs, and its tokens have the states that the masks give them."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.data.make_clips import write_clip
from tests.notes import AUTOENCODER, Notes, written
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.html import RATIOS, packed
from videomae_cli.tasks.visualize.masked_clip import look_at
from videomae_cli.tasks.visualize.panels import tile
from videomae_cli.tasks.visualize.setup import Wish
from videomae_cli.tasks.visualize.strategies import EVERY, at_ratio
from videomae_cli.tasks.visualize.token_states import State, states_of

WISH = Wish(frames=8, size=64, patch=16, stride=2, strategy="all")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("page") / "a <b> & c.mp4", 20, height=80, width=96)


@pytest.fixture(scope="module")
def made(video: Path) -> visualize.Visualised:
    return visualize.run(video, Notes(), out=video.parent / "all.html", wish=WISH)


def _data(page: Path) -> dict[str, Any]:
    found = re.search(r'<script id="data"[^>]*>(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def _unpacked(text: str, tokens: int) -> list[int]:
    content = base64.b64decode(text)
    return [content[token // 4] >> 2 * (token % 4) & 3 for token in range(tokens)]


def test_the_page_fetches_nothing(made: visualize.Visualised) -> None:
    text = made.files[0].read_text("utf-8")

    assert re.findall(r"https?:|[\"'(]//|url\(|@import|<link|src=|fetch\(", text) == []
    assert len(text) < 100_000


def test_the_name_of_a_video_is_text_and_no_markup(made: visualize.Visualised) -> None:
    assert "<h1>a &lt;b&gt; &amp; c.mp4</h1>" in made.files[0].read_text("utf-8")


def test_states_at_every_ratio_are_those_of_the_mask(made: visualize.Visualised) -> None:
    data, scene = _data(made.files[0]), made.scene

    assert [one["name"] for one in data["strategies"]] == list(EVERY)
    assert data["ratios"] == sorted(RATIOS) and data["ratios"][data["start"]] == 0.9
    shown = 0
    for one, look in zip(data["strategies"], made.looks, strict=True):
        for ratio, view in zip(data["ratios"], one["views"], strict=True):
            if "why" not in view:
                mask = look_at(made.take, scene, at_ratio(look.spec, ratio)).mask
                states = states_of(mask, look.spec, scene.grid)
                assert _unpacked(view["states"], scene.grid.tokens) == states.ravel().tolist()
                shown += 1
    assert shown >= 24


def test_a_ratio_that_cannot_be_shown_says_why(made: visualize.Visualised) -> None:
    views = {one["name"]: one["views"] for one in _data(made.files[0])["strategies"]}

    assert "pool 0.3 is no more than the visible 0.5" in views["motion"][0]["why"]
    assert "hides 4 of the 4 slices" in views["time"][-1]["why"]


def test_counts_follow_the_ratio(made: visualize.Visualised) -> None:
    tube = _data(made.files[0])["strategies"][0]

    assert tube["views"][0]["counts"] == ["32 visible", "32 targets"]
    assert tube["views"][-1]["counts"] == ["4 visible", "60 targets"]


def test_frames_are_inside_once_and_motion_with_its_source(made: visualize.Visualised) -> None:
    data, text = _data(made.files[0]), made.files[0].read_text("utf-8")

    assert len(data["frames"]) == len(data["headings"]) == 8
    assert text.count("data:image/webp") == 8
    assert "no model: motion measured on pixels" in text
    assert len(base64.b64decode(data["heat"]["steps"])) == made.scene.grid.tokens
    assert max(base64.b64decode(data["heat"]["steps"])) == 255


def test_controls_have_names_and_covers_a_legend(made: visualize.Visualised) -> None:
    text = made.files[0].read_text("utf-8")

    for control in re.findall(r"<input id=\"(\w+)\"", text):
        assert f'<label for="{control}"' in text or f'<label><input id="{control}"' in text
    for button in re.findall(r"<button[^>]*>[^<]*", text):
        assert "aria-label=" in button or button.endswith("Play")
    assert re.findall(r'data-state="(\d)"', text) == ["0", "1", "2", "3"]


def test_without_motion_there_is_no_map_of_it(video: Path) -> None:
    wish = WISH._replace(strategy="tube", ratio=0.7)

    page = visualize.run(video, Notes(), out=video.parent / "tube.html", wish=wish).files[0]

    assert _data(page)["heat"] is None and 'id="motion"' not in page.read_text("utf-8")
    assert _data(page)["ratios"][_data(page)["start"]] == 0.7


def test_with_a_model_every_ratio_has_its_reconstruction(video: Path) -> None:
    model = written(video.parent / "final", AUTOENCODER)
    wish = Wish(strategy="tube,motion")

    page = visualize.run(
        video, Notes(), checkpoint=model, out=video.parent / "model.html", wish=wish
    ).files[0]

    tube, motion = _data(page)["strategies"]
    assert [len(view["filled"]) for view in tube["views"]] == [4] * len(RATIOS)
    assert "why" in motion["views"][0] and len(motion["views"][-1]["filled"]) == 4
    assert "no hidden pixel was used" in page.read_text("utf-8")


def test_states_that_do_not_fill_a_byte_are_packed_too() -> None:
    states_thw = np.array([[[0, 1, 2], [3, 3, 1]]], np.uint8)

    assert _unpacked(packed(states_thw), 6) == [0, 1, 2, 3, 3, 1]
    assert len(base64.b64decode(packed(states_thw))) == 2


def test_the_tiles_are_those_of_the_picture(made: visualize.Visualised, tmp_path: Path) -> None:
    data = _data(made.files[0])

    assert data["tiles"].keys() == {"1", "2", "3"}
    for state, uri in data["tiles"].items():
        file = tmp_path / "tile.png"
        file.write_bytes(base64.b64decode(uri.partition(",")[2]))
        with Image.open(file) as image:
            drawn = np.asarray(image.convert("RGB"))
        assert np.array_equal(drawn, tile(State(int(state)), data["side"]))
