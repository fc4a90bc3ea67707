import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from videomae_cli.engine.optim import adamw, parameter_groups


class Blocks(nn.Module):
    """Parameters named as in an encoder of `depth` blocks."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Linear(2, 2)})
        self.blocks = nn.ModuleList(nn.ModuleDict({"fc1": nn.Linear(2, 2)}) for _ in range(depth))


class Net(nn.Module):
    def __init__(self, depth: int, *, nested: bool = True) -> None:
        super().__init__()
        if nested:
            self.encoder = Blocks(depth)
        self.decoder = Blocks(1)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 2))
        self.head = nn.Linear(2, 3)


def settings(model: nn.Module, groups: list[dict]) -> dict[str, tuple[float, float]]:
    """Return lr_scale and weight decay of every trainable parameter by name."""
    of = {id(p): (g["lr_scale"], g["weight_decay"]) for g in groups for p in g["params"]}
    return {name: of[id(p)] for name, p in model.named_parameters() if id(p) in of}


def test_matrices_decay_and_vectors_biases_and_tokens_do_not():
    model = Net(2)

    groups = parameter_groups(model, weight_decay=0.05)

    decayed = {name for name, (_, decay) in settings(model, groups).items() if decay == 0.05}
    assert decayed == {n for n, _ in model.named_parameters() if n.endswith("weight")}
    assert settings(model, groups)["mask_token"] == (1.0, 0.0)
    assert len(groups) == 2


def test_layer_decay_counts_down_from_the_head():
    model = Net(3)

    groups = parameter_groups(model, weight_decay=0.05, layer_decay=0.5, depth=3)

    actual = settings(model, groups)
    assert actual["encoder.patch_embed.proj.weight"] == (0.0625, 0.05)
    assert actual["encoder.patch_embed.proj.bias"] == (0.0625, 0.0)
    assert [actual[f"encoder.blocks.{i}.fc1.weight"][0] for i in range(3)] == [0.125, 0.25, 0.5]
    assert actual["head.weight"] == (1.0, 0.05) and actual["head.bias"] == (1.0, 0.0)
    assert actual["decoder.blocks.0.fc1.weight"][0] == 1.0, "only the encoder's blocks have a depth"
    assert len(groups) == 2 * 5


@pytest.mark.parametrize(
    ("depth", "decay", "first", "second"),
    [
        (12, 0.75, 0.0237573, 0.0316764),
        (24, 0.75, 0.000752543, None),
        (32, 0.75, 7.53393e-05, None),
        (12, 0.7, 0.00968890, None),
        (40, 0.9, 0.0133028, None),
    ],
)
def test_layer_scales_are_the_published_ones(
    depth: int, decay: float, first: float, second: float | None
):
    groups = parameter_groups(Net(depth), weight_decay=0.05, layer_decay=decay, depth=depth)

    scales = sorted({group["lr_scale"] for group in groups})

    assert scales[0] == pytest.approx(first, rel=1e-5)
    assert second is None or scales[1] == pytest.approx(second, rel=1e-5)
    assert scales[-2:] == [decay, 1.0]


def maest_net(depth: int) -> Net:
    """A net that also has the class tokens and learned positions of MAE-ST."""
    model = Net(depth)
    for part in (model.encoder, model.decoder):
        part.class_token = nn.Parameter(torch.zeros(1, 1, 2))
        part.positions = nn.ParameterDict({n: torch.zeros(1, 3, 2) for n in ("space", "token")})
    return model


def test_all_tokens_and_positions_decay_together_or_not_at_all():
    model = maest_net(2)
    tokens = {n for n, _ in model.named_parameters() if "token" in n or "positions" in n}

    without = settings(model, parameter_groups(model, weight_decay=0.05))
    with_them = settings(model, parameter_groups(model, weight_decay=0.05, tokens_decay=True))

    assert len(tokens) == 7
    assert {name for name in without if with_them[name] != without[name]} == tokens
    assert {with_them[name] for name in tokens} == {(1.0, 0.05)}
    assert {without[name] for name in tokens} == {(1.0, 0.0)}


def test_tokens_and_positions_of_the_encoder_belong_to_the_first_layer():
    model = maest_net(3)

    actual = settings(model, parameter_groups(model, weight_decay=0.05, layer_decay=0.5, depth=3))

    for name in ("encoder.class_token", "encoder.positions.space", "mask_token"):
        assert actual[name] == (0.0625, 0.0), name
    assert actual["decoder.positions.space"] == actual["decoder.class_token"] == (1.0, 0.0)


@pytest.mark.parametrize(("depth", "decay"), [(12, 0.65), (24, 0.75), (32, 0.8)])
def test_mae_st_layer_decay_is_the_published_formula(depth: int, decay: float):
    model = maest_net(depth)

    actual = settings(
        model, parameter_groups(model, weight_decay=0.05, layer_decay=decay, depth=depth)
    )

    assert actual["encoder.positions.token"][0] == pytest.approx(decay ** (depth + 1))
    for block in range(depth):
        scale = actual[f"encoder.blocks.{block}.fc1.weight"][0]
        assert scale == pytest.approx(decay ** (depth + 1 - (block + 1)))


def test_names_without_the_encoder_prefix_have_layers_too():
    model = Blocks(2)

    actual = settings(model, parameter_groups(model, weight_decay=0.0, layer_decay=0.5, depth=2))

    assert actual["patch_embed.proj.weight"][0] == 0.125
    assert actual["blocks.1.fc1.weight"][0] == 0.5


def test_frozen_parameters_are_left_out():
    model = Net(1)
    model.encoder.requires_grad_(False)

    actual = settings(model, parameter_groups(model, weight_decay=0.05))

    assert actual and not any(name.startswith("encoder.") for name in actual)


def test_groups_are_the_same_from_run_to_run():
    one, other = (
        parameter_groups(Net(3), weight_decay=0.1, layer_decay=0.5, depth=3) for _ in "ab"
    )

    assert [g["name"] for g in one] == [g["name"] for g in other]
    assert len({g["name"] for g in one}) == len(one)


def test_adamw_follows_its_published_formula():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(3, 4))
    start, betas, eps, lr, decay = weight.detach().clone(), (0.8, 0.9), 1e-8, 0.1, 0.05
    group = {"params": [weight], "weight_decay": decay, "lr_scale": 1.0, "name": "all"}
    optimizer = adamw([group], betas=betas, eps=eps, lr=lr)
    gradients = [torch.randn(3, 4) for _ in range(3)]

    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()

    first, second, expected = torch.zeros(3, 4), torch.zeros(3, 4), start
    for step, gradient in enumerate(gradients, 1):
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        root = (second / (1 - betas[1] ** step)).sqrt() + eps
        expected = expected * (1 - lr * decay) - lr * first / (1 - betas[0] ** step) / root
    torch.testing.assert_close(weight.detach(), expected, atol=1e-6, rtol=0)
    assert optimizer.param_groups[0]["lr_scale"] == 1.0
    assert optimizer.defaults["fused"] is True


def test_steps_and_state_are_those_of_torch_to_the_bit():
    torch.manual_seed(0)
    mine = Net(2)
    theirs = copy.deepcopy(mine)
    settings = {"lr": 0.1, "betas": (0.9, 0.95), "eps": 1e-8, "fused": True}
    reference = torch.optim.AdamW(parameter_groups(theirs, weight_decay=0.1), **settings)
    groups = parameter_groups(mine, weight_decay=0.1)
    saved = adamw(groups, betas=(0.9, 0.95), eps=1e-8, lr=0.1).state_dict()
    for _ in range(3):  # each with an optimizer that is restored from the one before
        optimizer = adamw(groups, betas=(0.9, 0.95), eps=1e-8, lr=0.1)
        optimizer.load_state_dict(saved)
        for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        optimizer.step()
        reference.step()
        saved = copy.deepcopy(optimizer.state_dict())
        optimizer.zero_grad()

    expected = reference.state_dict()
    assert saved["param_groups"] == expected["param_groups"]
    for number, state in expected["state"].items():
        assert saved["state"][number].keys() == state.keys()
        assert all(torch.equal(saved["state"][number][key], state[key]) for key in state)
    pairs = zip(mine.parameters(), theirs.parameters(), strict=True)
    assert all(torch.equal(one, other) and one.grad is None for one, other in pairs)


STEP = """
import sys, torch
from videomae_cli.engine.optim import adamw
from videomae_cli.engine.runtime import Runtime
with Runtime("bf16", cpu=True) as runtime:
    groups = [{"params": [*(layer := torch.nn.Linear(2, 2)).parameters()], "name": "all"}]
    model, optimizer = runtime.prepare(layer, adamw(groups, betas=(0.9, 0.95), eps=1e-8))
    runtime.accelerator.backward(model(torch.ones(1, 2)).sum())
    optimizer.step()
    optimizer.zero_grad()
    assert runtime.unwrap(model) is layer
    optimizer.load_state_dict(optimizer.state_dict())
print([name for name in ("torch._dynamo", "torch.distributed.tensor") if name in sys.modules])
"""


def test_a_step_imports_neither_the_compiler_nor_the_sharding_of_torch():
    done = subprocess.run([sys.executable, "-c", STEP], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]", "either takes about as long as torch itself"


def test_parameters_on_meta_are_accepted():
    with torch.device("meta"):
        model = Net(1)

    optimizer = adamw(parameter_groups(model, weight_decay=0.0), betas=(0.9, 0.95), eps=1e-8)

    assert optimizer.defaults["fused"] is False
