"""Time one optimizer step of VideoMAE pretraining, ours against transformers'.

    python benchmarks/step.py --size vitb --batch 2 --rounds 5

Both take the same uint8 clips, the same masks and AdamW; transformers gets normalised floats, as
its users give it. Both run in one process: every round runs each side once, in turn; medians and
the ratios round by round are printed. Compare ratios, not seconds: a shared machine drifts.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from videomae_cli.config.model_config import autoencoder_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.transformer import SIZES
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.engine.runtime import keep_freed_memory
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import make_black_content
from videomae_cli.models.build import build_autoencoder
from videomae_cli.models.encoder import normalize_clip

Step = Callable[[], float]


def ours(size: str, batch: int, precision: str, device: str, *more: str) -> Step:
    """Return a step of our autoencoder, as `videomae pretrain` takes it; `more` as in --set."""
    dim = SIZES[size].dim
    changes = [
        f"model.size={size}",
        f"model.decoder.dim={dim // 2}",
        f"model.decoder.heads={dim // 128}",
        *more,
    ]
    recipe = load_recipe("k400-vitb", changes, "pretrain")
    model = build_autoencoder(autoencoder_config(recipe)).to(device)
    optimizer = adamw(
        parameter_groups(model, weight_decay=0.05), betas=(0.9, 0.95), eps=1e-8, lr=1e-4
    )
    clip, noise = inputs(batch, device)

    def step() -> float:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = model(clip, noise).loss
        loss.backward()
        torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def theirs(size: str, batch: int, precision: str, device: str) -> Step:
    """Return a step of transformers' VideoMAEForPreTraining with its defaults and torch's AdamW."""
    import transformers

    stack = SIZES[size]
    config = transformers.VideoMAEConfig(
        hidden_size=stack.dim,
        num_hidden_layers=stack.depth,
        num_attention_heads=stack.heads,
        intermediate_size=stack.mlp_dim,
        decoder_hidden_size=stack.dim // 2,
        decoder_num_attention_heads=stack.dim // 128,
        decoder_intermediate_size=2 * stack.dim,
        decoder_num_hidden_layers=4,
    )
    model = transformers.VideoMAEForPreTraining(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.05)
    clip, noise = inputs(batch, device)
    spec = load_recipe("k400-vitb", [], "pretrain")
    mask = masker_for(spec.mask, spec.clip.grid())(noise, make_black_content(1568))
    hidden = torch.ones(batch, 1568, dtype=torch.bool, device=device).scatter_(
        1, mask.visible_BV, False
    )

    def step() -> float:
        pixels = normalize_clip(clip).transpose(1, 2).contiguous()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = model(pixel_values=pixels, bool_masked_pos=hidden).loss
        loss.backward()
        torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def inputs(batch: int, device: str) -> tuple[Tensor, Tensor]:
    """Return the same clips and noise every time."""
    torch.manual_seed(0)
    clip = torch.randint(0, 256, (batch, 3, 16, 224, 224), dtype=torch.uint8)
    return clip.to(device), torch.rand(batch, 2, 1568).to(device)


def timed(step: Step, device: str) -> float:
    """Return the seconds of one step."""
    start = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def processor(device: str) -> str:
    """Name what computes; of a CPU Linux tells the name."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")
    return f"{name}, {torch.get_num_threads()} threads"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", default="vits", choices=["vits", "vitb", "vitl"])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args()
    import transformers

    keep_freed_memory()
    sides = {
        f"{name} {precision}": make(chosen.size, chosen.batch, precision, chosen.device)
        for name, make in (("videomae", ours), ("transformers", theirs))
        for precision in ("fp32", "bf16")
    }
    for step in sides.values():
        step()
    rounds = [
        {name: timed(step, chosen.device) for name, step in sides.items()}
        for _ in range(chosen.rounds)
    ]
    print(
        f"{chosen.size}, batch {chosen.batch}, 16 x 224 x 224, {chosen.device} "
        f"({processor(chosen.device)}), torch {torch.__version__}, "
        f"transformers {transformers.__version__}"
    )
    best = "videomae bf16"
    for name in sides:
        seconds = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one[best] for one in rounds)
        print(f"{name:20s} median {seconds:8.4f} s   {ratio:5.2f} x {best}")


if __name__ == "__main__":
    main()
