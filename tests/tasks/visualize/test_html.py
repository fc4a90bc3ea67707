"""The HTML page needs no other file, and its token states are those of the masks."""

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
from videomae_cli.tasks.visualize.html import RATIOS, pack_states
from videomae_cli.tasks.visualize.masked_clip import mask_clip
from videomae_cli.tasks.visualize.panels import draw_cover
from videomae_cli.tasks.visualize.setup import Options
from videomae_cli.tasks.visualize.strategies import ALL_STRATEGIES, replace_ratio
from videomae_cli.tasks.visualize.token_states import TokenState, compute_states

OPTIONS = Options(frames=8, size=64, stride=2, strategy="all")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("page") / "a <b> & c.mp4", 20, height=80, width=96)


@pytest.fixture(scope="module")
def result(video: Path) -> visualize.Visualisation:
    return visualize.run(video, Notes(), out=video.parent / "all.html", options=OPTIONS)


def _read_data(page: Path) -> dict[str, Any]:
    match = re.search(r'<script id="data"[^>]*>(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert match
    data: dict[str, Any] = json.loads(match[1])
    return data


def _unpacked(text: str, tokens: int) -> list[int]:
    content = base64.b64decode(text)
    return [content[token // 4] >> 2 * (token % 4) & 3 for token in range(tokens)]


def test_the_page_fetches_nothing(result: visualize.Visualisation) -> None:
    text = result.files[0].read_text("utf-8")

    assert re.findall(r"https?:|[\"'(]//|url\(|@import|<link|src=|fetch\(", text) == []
    assert len(text) < 100_000


def test_the_name_of_a_video_is_escaped(result: visualize.Visualisation) -> None:
    assert "<h1>a &lt;b&gt; &amp; c.mp4</h1>" in result.files[0].read_text("utf-8")


def test_states_at_every_ratio_are_those_of_the_mask(result: visualize.Visualisation) -> None:
    data, setup = _read_data(result.files[0]), result.setup

    assert [one["name"] for one in data["strategies"]] == list(ALL_STRATEGIES)
    assert data["ratios"] == sorted(RATIOS) and data["ratios"][data["start"]] == 0.9
    shown = 0
    for one, masked_clip in zip(data["strategies"], result.masked_clips, strict=True):
        for ratio, view in zip(data["ratios"], one["views"], strict=True):
            if "error" not in view:
                mask = mask_clip(result.clip, setup, replace_ratio(masked_clip.spec, ratio)).mask
                states = compute_states(mask, masked_clip.spec, setup.grid)
                assert _unpacked(view["states"], setup.grid.tokens) == states.ravel().tolist()
                shown += 1
    assert shown >= 24


def test_an_unsupported_ratio_has_an_error_text(result: visualize.Visualisation) -> None:
    views = {one["name"]: one["views"] for one in _read_data(result.files[0])["strategies"]}

    assert "pool 0.3 is not larger than the visible fraction 0.5" in views["motion"][0]["error"]
    assert "hides 4 of the 4 slices" in views["time"][-1]["error"]


def test_counts_follow_the_ratio(result: visualize.Visualisation) -> None:
    tube = _read_data(result.files[0])["strategies"][0]

    assert tube["views"][0]["counts"] == ["32 visible", "32 targets"]
    assert tube["views"][-1]["counts"] == ["4 visible", "60 targets"]


def test_each_frame_is_contained_once_and_motion_with_its_source(
    result: visualize.Visualisation,
) -> None:
    data, text = _read_data(result.files[0]), result.files[0].read_text("utf-8")

    assert len(data["frames"]) == len(data["headings"]) == 8
    assert text.count("data:image/webp") == 8
    assert "motion measured on pixels (no model)" in text
    assert len(base64.b64decode(data["heat"]["steps"])) == result.setup.grid.tokens
    assert max(base64.b64decode(data["heat"]["steps"])) == 255


def test_controls_have_names_and_covers_have_a_legend(result: visualize.Visualisation) -> None:
    text = result.files[0].read_text("utf-8")

    for control in re.findall(r"<input id=\"(\w+)\"", text):
        assert f'<label for="{control}"' in text or f'<label><input id="{control}"' in text
    for button in re.findall(r"<button[^>]*>[^<]*", text):
        assert "aria-label=" in button or button.endswith("Play")
    assert re.findall(r'data-state="(\d)"', text) == ["0", "1", "2", "3"]


def test_without_motion_there_is_no_motion_map(video: Path) -> None:
    options = OPTIONS._replace(strategy="tube", ratio=0.7)

    page = visualize.run(video, Notes(), out=video.parent / "tube.html", options=options).files[0]

    assert _read_data(page)["heat"] is None and 'id="motion"' not in page.read_text("utf-8")
    assert _read_data(page)["ratios"][_read_data(page)["start"]] == 0.7


def test_with_a_model_every_ratio_has_its_reconstruction(video: Path) -> None:
    model = written(video.parent / "final", AUTOENCODER)
    options = Options(strategy="tube,motion")

    page = visualize.run(
        video, Notes(), checkpoint=model, out=video.parent / "model.html", options=options
    ).files[0]

    tube, motion = _read_data(page)["strategies"]
    assert [len(view["reconstruction"]) for view in tube["views"]] == [4] * len(RATIOS)
    assert "error" in motion["views"][0] and len(motion["views"][-1]["reconstruction"]) == 4
    assert "no hidden pixel was used" in page.read_text("utf-8")


def test_states_that_do_not_fill_a_byte_are_packed_too() -> None:
    states_thw = np.array([[[0, 1, 2], [3, 3, 1]]], np.uint8)

    assert _unpacked(pack_states(states_thw), 6) == [0, 1, 2, 3, 3, 1]
    assert len(base64.b64decode(pack_states(states_thw))) == 2


def test_the_covers_are_those_of_the_picture(
    result: visualize.Visualisation, tmp_path: Path
) -> None:
    data = _read_data(result.files[0])

    assert data["covers"].keys() == {"1", "2", "3"}
    for state, uri in data["covers"].items():
        file = tmp_path / "tile.png"
        file.write_bytes(base64.b64decode(uri.partition(",")[2]))
        with Image.open(file) as image:
            drawn = np.asarray(image.convert("RGB"))
        assert np.array_equal(drawn, draw_cover(TokenState(int(state)), data["token_size"]))
