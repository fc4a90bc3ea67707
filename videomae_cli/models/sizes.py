"""The encoder sizes a recipe can name."""

from videomae_cli.config.card import StackSpec

SIZES: dict[str, StackSpec] = {
    "micro": StackSpec(dim=48, depth=3, heads=3, mlp_dim=192),
    "tiny": StackSpec(dim=96, depth=4, heads=4, mlp_dim=384),
    "vits": StackSpec(dim=384, depth=12, heads=6, mlp_dim=1536),
    "vitb": StackSpec(dim=768, depth=12, heads=12, mlp_dim=3072),
    "vitl": StackSpec(dim=1024, depth=24, heads=16, mlp_dim=4096),
    "vith": StackSpec(dim=1280, depth=32, heads=16, mlp_dim=5120),
    "vitg": StackSpec(dim=1408, depth=40, heads=16, mlp_dim=6144),
}
