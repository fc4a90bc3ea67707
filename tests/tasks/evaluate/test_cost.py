"""The cost of an evaluation agrees with the published figures."""

import math

from videomae_cli.config.model import SelectSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.config.transformer import SIZES
from videomae_cli.engine.runtime import Runtime
from videomae_cli.grid import TokenGrid
from videomae_cli.models.build import build_classifier, expected_shapes
from videomae_cli.tasks.evaluate.cost import Cost, count_view_macs, measure_cost


def config_of(size: str, frames: int = 16, side: int = 224, patch: int = 16) -> ModelConfig:
    names = tuple(f"class {number}" for number in range(400))
    grid = TokenGrid(frames, side, side, 2, patch)
    return ModelConfig(kind="classifier", encoder=SIZES[size], grid=grid, classes=names)


def test_operations_and_parameters_are_the_published_ones() -> None:
    # G multiply-accumulates of a view, and M parameters with a head of 400 classes
    published = {
        ("vits", 16, 224, 16): (56.9, 22.03),
        ("vitb", 16, 224, 16): (180.3, 86.53),
        ("vitl", 16, 224, 16): (596.8, 304.27),
        ("vitg", 16, 224, 14): (2542.8, 1012.17),
    }
    counts = {}
    for key in published:
        config = config_of(*key)
        parameters = sum(math.prod(shape) for shape in expected_shapes(config).values())
        counts[key] = round(count_view_macs(config) / 1e9, 1), round(parameters / 1e6, 2)

    assert counts == published


def test_tokens_that_are_not_encoded_are_not_counted() -> None:
    whole = config_of("micro", side=64)
    half = whole.model_copy(update={"select": SelectSpec(strategy="motion", pool=0.5)})

    def by_hand(encoded: int) -> int:
        dim, depth, hidden = 48, 3, 192
        block = 4 * encoded * dim**2 + 2 * encoded * dim * hidden + 2 * encoded**2 * dim
        return 128 * 1536 * dim + depth * block + 400 * dim  # tokens are embedded in any case

    assert count_view_macs(whole) == by_hand(128)
    assert count_view_macs(half) == by_hand(64)


def test_the_estimate_names_the_slower_part_and_needs_no_data() -> None:
    config = config_of("micro", side=32)
    with Runtime("fp32", cpu=True) as runtime:
        classifier = build_classifier(config)
        alone = measure_cost(config, classifier, Protocol(5, 3), runtime)
    slow = Cost(1000, 10**9, 15, 0.1, 2, "cpu", workers=4, videos=100, read_seconds=8.0)

    assert alone.seconds is None and alone.views == 15
    assert alone.rows()[-1] == ("time", "unknown without prepared videos: --data DIR")
    assert slow.seconds == 100 * 2.0 / 2 and slow.is_read_bound
    assert ("slower of the two", "reading") in slow.rows()
    assert slow._replace(workers=8).seconds == 100 * 1.5 / 2
    assert slow.as_json()["macs_per_video"] == 15 * 10**9
