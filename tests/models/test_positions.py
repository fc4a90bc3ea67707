import pytest
import torch

from videomae_cli.position_table import sine_table


@pytest.mark.parametrize(
    ("dim", "values"),
    [
        (
            384,
            {
                (0, 0): 0.0, (0, 1): 1.0, (1, 0): 0.84147096, (1, 1): 0.54030228,
                (1, 2): 0.81525064, (1, 3): 0.57910824, (197, 10): -0.86766696,
                (1567, 0): 0.60894841, (1567, 383): 0.98651671,
            },
        ),
        (768, {(1, 2): 0.82843077, (100, 101): 0.29217002, (1567, 766): 0.15981568}),
    ],
)  # fmt: skip
def test_the_table_has_the_published_values(dim: int, values: dict[tuple[int, int], float]):
    table = sine_table(1568, dim)

    assert table.shape == (1568, dim) and table.dtype == torch.float32
    for place, value in values.items():
        assert table[place].item() == pytest.approx(value, abs=5e-8)


def test_a_longer_clip_has_the_same_first_rows():
    assert torch.equal(sine_table(32, 48)[:16], sine_table(16, 48))


def test_an_odd_dimension_ends_with_a_sine():
    assert sine_table(2, 3)[1].tolist() == pytest.approx(
        [0.8414710, 0.5403023, 0.0021544], abs=1e-6
    )
