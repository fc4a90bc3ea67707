"""The 15 test views of a real clip equal those of the reference protocol."""

from pathlib import Path

from tests.parity.views import TOLERANCES, largest_differences


def test_views_of_a_kinetics_clip_match_the_golden_ones(shared: Path) -> None:
    video = shared / "videos/misc/kinetics_demo.mp4"

    differences = largest_differences(video, shared / "golden/eval_views_5x3.safetensors")

    assert set(differences) == set(TOLERANCES)
    assert max(differences.values()) < 1e-4  # far inside: same decoder arithmetic, same resizing


def test_views_of_another_clip_do_not(shared: Path) -> None:
    video = shared / "videos/misc/kinetics_b.mp4"

    differences = largest_differences(video, shared / "golden/eval_views_5x3.safetensors")

    assert differences["thumbnails"] > TOLERANCES["thumbnails"]
