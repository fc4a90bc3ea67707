"""The JSON of a Hugging Face folder: `config.json` and `preprocessor_config.json`, both ways.

What a config says is believed and held against the weights. Not storable there, and so computed
otherwise by transformers: the epsilon of `fc_norm` and `decoder.norm`, 1e-5 there and 1e-6 here.
"""

import math
from collections.abc import Mapping
from typing import Any

from videomae_cli.checkpoints.format import Config, Table, Weights, axis
from videomae_cli.checkpoints.formats.folders import CONFIG, PROCESSOR, number
from videomae_cli.checkpoints.infer_config import NOTHING, Hints, Told
from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

PREFIX = "videomae."
EPS = 1e-6
HALF = (0.5, 0.5, 0.5)  # what image processors take for a missing mean or deviation
CLASSES = {
    "autoencoder": "VideoMAEForPreTraining",
    "classifier": "VideoMAEForVideoClassification",
    "encoder": "VideoMAEModel",
}
SMALL, SMALL_HEADS = 384, 6
OFFICIAL_SMALL = (16, (400, 174))  # heads their configs claim; classes of the two folders


def tell(table: Table, weights: Weights, config_json: Config) -> Told:
    """Read what a folder says beside its weights.

    Raises:
        CheckpointError: It contradicts the weights, or asks for a function that is not ours.
    """
    said = config_json.get(CONFIG)
    if said is None:
        return NOTHING._replace(assumed=("no config.json beside the weights",))
    if said.get("hidden_act", "gelu") != "gelu":
        raise CheckpointError(f"config.json: hidden_act {said['hidden_act']!r}: another model")
    _compare(table, weights, said)
    config: dict[str, Any] = {}
    rows = axis(weights, "classifier.weight", 0)
    if table.kind == "classifier":
        config |= _classes(said, rows)
    if table.kind == "autoencoder":
        config["normalize"] = "patch" if said.get("norm_pix_loss", True) else "none"
    mean, std, assumed = _statistics(config_json.get(PROCESSOR))
    heads, traps = _heads(said, rows)
    eps = said.get("layer_norm_eps", 1e-12)
    if eps != EPS:
        traps = (*traps, f"layer norms add {eps} there and {EPS:g} here: outputs differ by 1e-6")
    frames, of_frames = _whole(said, ("num_frames", 16), ("tubelet_size", 2))
    size, of_size = _whole(said, ("image_size", 224), ("patch_size", 16))
    numbers = Hints(heads, number(said, "decoder_num_attention_heads"), frames, size)
    notes = (*assumed, *of_frames, *of_size)
    return Told(numbers, config | {"mean": mean, "std": std}, notes, traps)


def config_of(config: ModelConfig) -> dict[str, Any]:
    """Return the `config.json` of a card's model.

    Raises:
        CheckpointError: transformers has no such model.
    """
    grid, stack = config.grid, config.encoder
    if grid.height != grid.width or config.normalize == "joint":
        raise CheckpointError(
            f"transformers has square clips and targets normalised per channel, not"
            f" {grid.height}x{grid.width} pixels and {config.normalize or 'none'}"
        )
    said: dict[str, Any] = {
        "architectures": [CLASSES[config.kind]],
        "model_type": "videomae",
        "image_size": grid.height,
        "patch_size": grid.patch,
        "num_channels": grid.channels,
        "num_frames": grid.frames,
        "tubelet_size": grid.tubelet,
        "hidden_size": stack.dim,
        "num_hidden_layers": stack.depth,
        "num_attention_heads": stack.heads,
        "intermediate_size": stack.mlp_dim,
        "hidden_act": "gelu",
        "layer_norm_eps": EPS,
        "qkv_bias": True,  # new versions take it for `qv_bias`, old ones know no other
        "use_mean_pooling": config.kind != "autoencoder"
        and config.pooling == "mean"
        and config.norm_of is None,
    }
    if config.decoder is not None:
        said |= {
            "decoder_hidden_size": config.decoder.dim,
            "decoder_num_hidden_layers": config.decoder.depth,
            "decoder_num_attention_heads": config.decoder.heads,
            "decoder_intermediate_size": config.decoder.mlp_dim,
            "norm_pix_loss": config.normalize != "none",
        }
    if config.classes is not None:
        said["id2label"] = {str(label): name for label, name in enumerate(config.classes)}
        said["label2id"] = {name: label for label, name in enumerate(config.classes)}
    return said


def processor_of(config: ModelConfig) -> dict[str, Any]:
    """Return the `preprocessor_config.json` of a card's clips."""
    size = config.grid.height
    return {
        "image_processor_type": "VideoMAEImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": size},
        "resample": 2,  # bilinear
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(config.mean),
        "image_std": list(config.std),
    }


def _compare(table: Table, weights: Weights, said: Mapping[str, Any]) -> None:
    """Hold a config's sizes against the weights."""
    prefix = PREFIX if any(name.startswith(PREFIX) for name in weights) else ""
    embed = f"{prefix}embeddings.patch_embeddings.projection.weight"
    stacks = [(f"{prefix}encoder.layer", "")]
    if table.kind == "autoencoder":
        stacks.append(("decoder.decoder_layers", "decoder_"))
    claims = [
        (embed, place, name)
        for place, name in enumerate(("hidden_size", "num_channels", "tubelet_size", "patch_size"))
    ]
    for stem, which in stacks:
        inside = f"{stem}.0.intermediate.dense.weight"
        claims += [(inside, 0, f"{which}intermediate_size"), (inside, 1, f"{which}hidden_size")]
        depth = number(said, f"{which}num_hidden_layers")
        held = {name.removeprefix(f"{stem}.").split(".")[0] for name in weights if stem in name}
        for layer in range(depth or 0):
            if str(layer) not in held:
                raise CheckpointError(f"{stem}.{layer} missing: config.json says {depth} layers")
        if depth is not None and len(held) > depth:
            raise CheckpointError(f"{stem}.{depth} is there: config.json says {depth} layers")
    for tensor, place, name in claims:
        claim, length = number(said, name), axis(weights, tensor, place)
        if tensor in weights and claim is not None and claim != length:
            raise CheckpointError(f"{tensor} says {name} {length}, config.json {claim}")


def _classes(said: Mapping[str, Any], rows: int) -> dict[str, tuple[str, ...]]:
    names = said.get("id2label")
    if not isinstance(names, dict):
        return {}
    labels = [names.get(str(label)) for label in range(len(names))]
    if not all(isinstance(name, str) for name in labels):
        raise CheckpointError("config.json: id2label does not number its names from 0")
    if len(labels) != rows:
        raise CheckpointError(
            f"classifier.weight has {rows} rows, config.json names {len(labels)} classes"
        )
    dummies = [f"LABEL_{label}" for label in range(rows)]
    return {} if labels == dummies else {"classes": tuple(map(str, labels))}


def _whole(
    said: Mapping[str, Any], length: tuple[str, int], unit: tuple[str, int]
) -> tuple[int, tuple[str, ...]]:
    """Return a length without the rest that fills no token, and a note if there is a rest."""
    claimed, step = (number(said, name) or default for name, default in (length, unit))
    whole = claimed - claimed % step
    note = f"{length[0]} {whole}: of {claimed} the last {claimed - whole} are in no token"
    return whole, (note,) if whole < claimed else ()


def _heads(said: Mapping[str, Any], classes: int) -> tuple[int | None, tuple[str, ...]]:
    heads = number(said, "num_attention_heads")
    wrong, of = OFFICIAL_SMALL
    if said.get("hidden_size") != SMALL or heads != wrong:
        return heads, ()
    if classes in of:
        return SMALL_HEADS, (
            f"config.json says {heads} heads; the published ViT-S was trained with {SMALL_HEADS},"
            f" which is used (--heads {heads} for a model that was trained with {heads})",
        )
    return heads, (
        f"ViT-S with {heads} heads: right only if it was fine-tuned so (the published one has"
        f" {SMALL_HEADS}: --heads {SMALL_HEADS})",
    )


def _statistics(
    said: Mapping[str, Any] | None,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    """Return mean, deviation, and what was assumed about them."""
    if said is None:
        note = "no preprocessor_config.json: pixels normalised by ImageNet's statistics"
        return IMAGENET_MEAN, IMAGENET_STD, (note,)
    is_old = "feature_extractor_type" in said and "image_processor_type" not in said
    found, assumed = [], []
    for name, imagenet in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD)):
        value = said.get(name)
        if value is None:
            value = imagenet if is_old else HALF
            assumed.append(f"{name} {value}: the class's default, not in preprocessor_config.json")
        if not _are_three_numbers(value) or (name == "image_std" and not min(value) > 0):
            raise CheckpointError(
                f"preprocessor_config.json: {name} {value!r} is not three numbers to go by"
            )
        found.append(tuple(float(x) for x in value))
    return found[0], found[1], tuple(assumed)


def _are_three_numbers(value: object) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == len(HALF)
        and all(type(x) in (int, float) and math.isfinite(x) for x in value)
    )
