"""Probes: a frozen encoder is not trained, and an attentive head pools by one learned query."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from tests.notes import CLASSIFIER
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.engine.ema import EMA
from videomae_cli.engine.optim import parameter_groups
from videomae_cli.models.attentive import AttentivePooler
from videomae_cli.models.build import build_classifier
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.macs import count_macs

LINEAR = CLASSIFIER.model_copy(update={"norm_of": "tokens"})
ATTENTIVE = LINEAR.model_copy(update={"pooling": "attentive", "pooler_heads": 4})
W_AND_B = ("weight", "bias")
POOLER_MATRICES = ("pooler.kv.weight", "pooler.proj.weight")


def probe(config: ModelConfig, **options: float) -> Classifier:
    torch.manual_seed(0)
    model = build_classifier(config, head_scale=1.0, **options)
    model.freeze_encoder()
    return model


def clips(batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    return torch.randint(0, 256, (batch, 3, 4, 32, 32), dtype=torch.uint8, generator=generator)


def count_stored(model: Classifier) -> int:
    """Return how many values the forward pass stores for the backward pass, parameters aside."""
    own = {parameter.data_ptr() for parameter in model.parameters()}
    sizes: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            sizes.append(tensor.numel())
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        model.train()(clips())
    return sum(sizes)


def test_the_pooler_is_torch_cross_attention_with_one_query() -> None:
    torch.manual_seed(0)
    pooler, tokens_BND = AttentivePooler(24, 4), torch.randn(3, 7, 24)
    torch.nn.init.normal_(pooler.query, std=5.0)
    torch.nn.init.normal_(pooler.kv.bias)
    reference = torch.nn.MultiheadAttention(24, 4, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat((torch.eye(24), pooler.kv.weight)))
        reference.in_proj_bias.copy_(torch.cat((torch.zeros(24), pooler.kv.bias)))
        reference.out_proj.load_state_dict(pooler.proj.state_dict())

    query_B1D = pooler.query.expand(3, 1, -1)
    expected_B1D, weights_B1N = reference(query_B1D, tokens_BND, tokens_BND)

    assert weights_B1N.std() > 0.05  # it does attend
    torch.testing.assert_close(pooler(tokens_BND), expected_B1D[:, 0], atol=1e-6, rtol=1e-5)


def test_the_head_of_a_probe_reads_normalised_tokens() -> None:
    linear, attentive = probe(LINEAR), probe(ATTENTIVE)
    torch.nn.init.normal_(linear.encoder.norm.weight)

    for model in (linear, attentive):
        tokens_BND = model.encoder(clips())
        pooled_BD = tokens_BND.mean(dim=1) if model.pooler is None else model.pooler(tokens_BND)
        expected_BK = model.head(F.layer_norm(pooled_BD, (24,), eps=1e-6))
        torch.testing.assert_close(model(clips()), expected_BK, atol=1e-5, rtol=1e-5)


def test_a_fresh_attentive_head_attends_to_all_tokens_alike() -> None:
    torch.manual_seed(0)
    pooler, tokens_BND = AttentivePooler(384, 6), torch.randn(2, 50, 384)

    mean_BD = pooler.proj(pooler.kv(tokens_BND.mean(dim=1)).chunk(2, dim=1)[1])

    torch.testing.assert_close(pooler(tokens_BND), mean_BD, atol=0.01, rtol=0.05)


@pytest.mark.parametrize("config", [LINEAR, ATTENTIVE], ids=["linear", "attentive"])
def test_only_the_head_of_a_probe_has_gradients_and_is_in_the_optimizer(
    config: ModelConfig,
) -> None:
    model = probe(config)

    model.train()(clips()).sum().backward()
    groups = parameter_groups(model, weight_decay=0.1, layer_decay=0.5, depth=2)

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    trained = {names[id(p)]: group for group in groups for p in group["params"]}
    assert {name for name, p in model.named_parameters() if p.grad is not None} == set(trained)
    pooler = {"pooler.query", *(f"pooler.{n}.{p}" for n in ("kv", "proj") for p in W_AND_B)}
    head = {f"{n}.{p}" for n in ("fc_norm", "head") for p in W_AND_B}
    assert set(trained) == (head | pooler if config is ATTENTIVE else head)
    assert {group["lr_scale"] for group in groups} == {1.0}
    decayed = {name for name, group in trained.items() if group["weight_decay"]}
    assert decayed == {n for n in trained if n in ("head.weight", *POOLER_MATRICES)}


def test_a_frozen_encoder_stores_nothing_for_the_backward_pass() -> None:
    frozen, trained = probe(LINEAR), build_classifier(LINEAR)

    # the input and the statistics of fc_norm, and the input of the head
    assert count_stored(frozen) <= 2 * (2 * 24 + 2)
    assert count_stored(trained) > 100 * count_stored(frozen)


def test_a_frozen_encoder_has_no_drop_path_in_training_and_a_trained_one_has() -> None:
    frozen = probe(ATTENTIVE, drop_path=0.9)
    torch.manual_seed(0)
    trained = build_classifier(ATTENTIVE, drop_path=0.9, head_scale=1.0)

    for model in (frozen, trained):
        torch.manual_seed(1)
        in_training_BK = model.train()(clips(8))
        is_same = torch.equal(in_training_BK, model.eval()(clips(8)))
        assert is_same == (model is frozen)


def test_the_average_of_frozen_weights_is_those_weights_to_the_bit() -> None:
    model = probe(ATTENTIVE)
    average = EMA(model, 0.999)

    for step in range(20):
        torch.nn.init.normal_(model.head.weight)
        average.update(model, step)

    for name, value in model.encoder.state_dict().items():
        assert torch.equal(average.tensors[f"encoder.{name}"], value), name
    assert not torch.equal(average.tensors["head.weight"], model.head.weight)


def test_the_macs_of_an_attentive_head_are_those_of_its_formula() -> None:
    tokens, dim = 32, 24
    mean, attentive = (
        count_macs(probe(config).eval(), clips(1)).executed for config in (LINEAR, ATTENTIVE)
    )

    assert attentive - mean == tokens * dim * 2 * dim + 2 * tokens * dim + dim * dim
