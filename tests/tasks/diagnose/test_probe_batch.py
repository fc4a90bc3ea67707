"""The measurements of a probe, compared with values known in advance."""

import math

import pytest
import torch

from tests.notes import AUTOENCODER, CLASSIFIER
from videomae_cli.config.clip import ClipSpec
from videomae_cli.data.batches import PretrainBatch
from videomae_cli.models.build import build_autoencoder, build_classifier
from videomae_cli.tasks.diagnose.probe_batch import (
    RunningVariance,
    autoencoder_probe,
    class_frequency_loss,
    classifier_probe,
    pixel_statistics,
    rank_and_spread,
)

CLIP = ClipSpec(frames=4, stride_frames=2, size=32, tubelet=2, patch=8)


def test_rank_counts_directions_and_equal_features_have_none() -> None:
    corners = torch.eye(4, dtype=torch.float64)
    line = torch.arange(4.0, dtype=torch.float64)[:, None] * torch.ones(1, 4, dtype=torch.float64)

    assert rank_and_spread(corners)[0] == pytest.approx(3.0)  # four corners span three dimensions
    assert rank_and_spread(line)[0] == pytest.approx(1.0, abs=1e-5)
    assert rank_and_spread(torch.ones(4, 4, dtype=torch.float64)) == (0.0, 0.0)


def test_features_that_are_not_finite_have_no_rank() -> None:
    assert all(math.isnan(figure) for figure in rank_and_spread(torch.full((4, 4), math.inf)))


def batch(clip: torch.Tensor, noise: torch.Tensor) -> PretrainBatch:
    numbers = torch.zeros(len(clip), dtype=torch.int64)
    return PretrainBatch(clip, noise, numbers, numbers)


def test_the_loss_of_predicting_the_mean_is_the_variance_however_rows_come() -> None:
    rows = torch.rand(10, 6)
    whole, parts = RunningVariance(), RunningVariance()
    whole.add(rows)
    parts.add(rows[:3])
    parts.add(rows[3:])

    assert whole.variance() == pytest.approx(float(rows.var(dim=0, unbiased=False).mean()))
    assert parts.variance() == pytest.approx(whole.variance())


def test_normalised_targets_have_the_variance_that_theory_says() -> None:
    torch.manual_seed(0)
    model = build_autoencoder(AUTOENCODER).eval()
    clip = torch.randint(0, 256, (8, 3, 4, 32, 32), dtype=torch.uint8)

    features, targets = autoencoder_probe(model)(batch(clip, torch.rand(8, 2, 32)))

    running = RunningVariance()
    running.add(targets)
    pixels = 2 * 8 * 8  # of a token and channel
    assert running.variance() == pytest.approx((pixels - 1) / pixels, rel=0.01)
    assert features.shape == (8, 24)


def test_all_clips_are_masked_alike_so_that_equal_clips_have_equal_features() -> None:
    model = build_autoencoder(AUTOENCODER).eval()
    clip = torch.full((5, 3, 4, 32, 32), 7, dtype=torch.uint8)

    features, _ = autoencoder_probe(model)(batch(clip, torch.rand(5, 2, 32)))

    assert rank_and_spread(features.detach().double())[1] < 1e-6


def test_a_classifier_is_probed_before_its_head() -> None:
    model = build_classifier(CLASSIFIER).eval()
    clip = torch.randint(0, 256, (2, 3, 4, 32, 32), dtype=torch.uint8)

    features, targets = classifier_probe(model)(batch(clip, torch.rand(len(clip), 4)))

    assert torch.equal(features, model.features(clip))
    assert not targets.numel()


def test_predicting_class_frequencies_costs_the_entropy_of_the_labels() -> None:
    assert class_frequency_loss([0, 1, 2, 3], 4, 0.0) == pytest.approx(math.log(4))
    assert class_frequency_loss([0, 0, 0], 2, 0.0) == 0.0
    assert class_frequency_loss([0, 0, 0], 2, 0.2) == pytest.approx(0.325083, abs=1e-6)


def test_pixel_statistics_count_black_clips_and_report_the_most_deviating_channel() -> None:
    clip = torch.randint(0, 256, (4, 3, 4, 32, 32), dtype=torch.uint8)
    clip[0] = 0
    odd = CLIP.model_copy(update={"std": (0.2, 0.2, 0.002)})

    figures = pixel_statistics(clip, odd)

    assert figures["flat"] == 0.25
    assert figures["input_std"] == pytest.approx(float(clip[:, 2].float().std()) / 255 / 0.002)
    assert pixel_statistics(clip, CLIP)["input_std"] < 2
