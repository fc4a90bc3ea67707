"""The `config.json` of a Hugging Face folder, read and written.

The values of a config are used, and checked against the weights. The epsilon of `fc_norm` and
`decoder.norm` cannot be stored there; transformers uses 1e-5, and the models here use 1e-6.
"""

from collections.abc import Mapping
from typing import Any

from videomae_cli.checkpoints.format import FolderJson, KeyTable, axis_length
from videomae_cli.checkpoints.formats.folders import CONFIG, PROCESSOR, read_positive_int
from videomae_cli.checkpoints.formats.hugging_face_processor import read_statistics
from videomae_cli.checkpoints.hints import NO_SIDE_INFO, Hints, SideInfo
from videomae_cli.checkpoints.keymap import Weights
from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

Json = Mapping[str, Any]

PREFIX = "videomae."
EPS = 1e-6
CLASSES = {
    "autoencoder": "VideoMAEForPreTraining",
    "classifier": "VideoMAEForVideoClassification",
    "encoder": "VideoMAEModel",
}
PROBLEM_TYPES: dict[Task, str] = {
    "single-label": "single_label_classification",
    "multi-label": "multi_label_classification",
    "regression": "regression",
}
SMALL_DIM, SMALL_HEADS = 384, 6
WRONG_SMALL_HEADS = 16  # in the configs of the two published ViT-S folders
PUBLISHED_SMALL_CLASSES = (400, 174)  # of these two folders


def read_side_info(table: KeyTable, weights: Weights, folder_json: FolderJson) -> SideInfo:
    """Read the JSON files of a folder.

    Raises:
        CheckpointError: They contradict the weights, or describe a function that is not supported.
    """
    config = folder_json.get(CONFIG)
    if config is None:
        return NO_SIDE_INFO._replace(assumed=("no config.json beside the weights",))
    if config.get("hidden_act", "gelu") != "gelu":
        raise CheckpointError(f"config.json: hidden_act {config['hidden_act']!r}: not supported")
    _check_sizes(table, weights, config)
    rows = axis_length(weights, "classifier.weight", 0)
    fields: dict[str, Any] = _read_head(config, rows) if table.kind == "classifier" else {}
    if table.kind == "autoencoder":
        fields["normalize"] = "patch" if config.get("norm_pix_loss", True) else "none"
    channels = axis_length(weights, _embedding_name(weights), 1)
    mean, std, assumed = read_statistics(folder_json.get(PROCESSOR), channels)
    heads, defects = _read_heads(config, rows)
    eps = config.get("layer_norm_eps", 1e-12)
    if eps != EPS:
        note = f"the epsilon of layer norms is {eps} there and {EPS:g} here: outputs differ by 1e-6"
        defects = (*defects, note)
    frames, frame_notes = _read_length(config, ("num_frames", 16), ("tubelet_size", 2))
    size, size_notes = _read_size(config)
    decoder_heads = read_positive_int(config, "decoder_num_attention_heads")
    hints = Hints(heads, decoder_heads, frames, size)
    notes = (*assumed, *frame_notes, *size_notes)
    return SideInfo(hints, fields | {"mean": mean, "std": std}, notes, defects)


def make_config_json(config: ModelConfig) -> dict[str, Any]:
    """Return the content of `config.json` for a model.

    Raises:
        CheckpointError: transformers has no such model.
    """
    grid = config.grid
    if config.normalize == "joint":
        raise CheckpointError("transformers supports targets normalised per channel, not joint")
    if grid.channels not in (1, 3):
        raise CheckpointError(
            f"the image processor of transformers supports RGB and grey, not {grid.channels}"
            " channels"
        )
    if grid.channels == 1 and config.normalize == "none":
        raise CheckpointError("transformers supports targets that are not normalised for RGB only")
    content = _make_encoder_json(config)
    if config.decoder is not None:
        content |= {
            "decoder_hidden_size": config.decoder.dim,
            "decoder_num_hidden_layers": config.decoder.depth,
            "decoder_num_attention_heads": config.decoder.heads,
            "decoder_intermediate_size": config.decoder.mlp_dim,
            "norm_pix_loss": config.normalize != "none",
        }
    if config.classes is not None:
        content["id2label"] = {str(label): name for label, name in enumerate(config.classes)}
        content["label2id"] = {name: label for label, name in enumerate(config.classes)}
        if config.task != "single-label":
            content["problem_type"] = PROBLEM_TYPES[config.task]
    return content


def _make_encoder_json(config: ModelConfig) -> dict[str, Any]:
    grid, encoder = config.grid, config.encoder
    return {
        "architectures": [CLASSES[config.kind]],
        "model_type": "videomae",
        "image_size": grid.height if grid.height == grid.width else [grid.height, grid.width],
        "patch_size": grid.patch,
        "num_channels": grid.channels,
        "num_frames": grid.frames,
        "tubelet_size": grid.tubelet,
        "hidden_size": encoder.dim,
        "num_hidden_layers": encoder.depth,
        "num_attention_heads": encoder.heads,
        "intermediate_size": encoder.mlp_dim,
        "hidden_act": "gelu",
        "layer_norm_eps": EPS,
        "qkv_bias": True,  # the only known key in old versions; read as `qv_bias` by new ones
        "use_mean_pooling": config.kind != "autoencoder"
        and config.pooling == "mean"
        and config.norm_of is None,
    }


def _check_sizes(table: KeyTable, weights: Weights, config: Json) -> None:
    """Check the sizes in a config against the weights."""
    prefix = PREFIX if any(name.startswith(PREFIX) for name in weights) else ""
    embed = _embedding_name(weights)
    fields = ("hidden_size", "num_channels", "tubelet_size", "patch_size")
    claims = [(embed, axis, field) for axis, field in enumerate(fields)]
    transformers = [(f"{prefix}encoder.layer", "")]
    if table.kind == "autoencoder":
        transformers.append(("decoder.decoder_layers", "decoder_"))
    for blocks, part in transformers:
        mlp = f"{blocks}.0.intermediate.dense.weight"
        claims += [(mlp, 0, f"{part}intermediate_size"), (mlp, 1, f"{part}hidden_size")]
        _check_depth(weights, blocks, read_positive_int(config, f"{part}num_hidden_layers"))
    for tensor, axis, field in claims:
        claim, length = read_positive_int(config, field), axis_length(weights, tensor, axis)
        if tensor in weights and claim is not None and claim != length:
            raise CheckpointError(f"{tensor} has {field} {length}, config.json has {claim}")


def _embedding_name(weights: Weights) -> str:
    prefix = PREFIX if any(name.startswith(PREFIX) for name in weights) else ""
    return f"{prefix}embeddings.patch_embeddings.projection.weight"


def _check_depth(weights: Weights, blocks: str, depth: int | None) -> None:
    numbers = {n.removeprefix(f"{blocks}.").split(".")[0] for n in weights if blocks in n}
    for block in range(depth or 0):
        if str(block) not in numbers:
            raise CheckpointError(f"missing: {blocks}.{block}; config.json has {depth} layers")
    if depth is not None and len(numbers) > depth:
        raise CheckpointError(f"{blocks}.{depth} is too many: config.json has {depth} layers")


def _read_head(config: Json, rows: int) -> dict[str, Any]:
    """Return the task, unless it is one class, and the class names, unless they are LABEL_0, ..."""
    tasks = {text: {"task": task} for task, text in PROBLEM_TYPES.items()}
    fields: dict[str, Any] = tasks.get(config.get("problem_type", ""), {})
    names = config.get("id2label")
    if not isinstance(names, dict):
        return fields
    labels = [names.get(str(label)) for label in range(len(names))]
    if not all(isinstance(name, str) for name in labels):
        raise CheckpointError("config.json: id2label does not number its names from 0")
    if len(labels) != rows:
        raise CheckpointError(
            f"classifier.weight has {rows} rows, config.json has {len(labels)} classes"
        )
    defaults = [f"LABEL_{label}" for label in range(rows)]
    return fields if labels == defaults else {**fields, "classes": tuple(map(str, labels))}


def _read_length(
    config: Json, length: tuple[str, int], unit: tuple[str, int]
) -> tuple[int, tuple[str, ...]]:
    """Return a length rounded down to whole tokens, and a note if it was rounded.

    `length` and `unit` are the fields of the length and of a token's, each with its default.
    """
    total, step = (read_positive_int(config, name) or default for name, default in (length, unit))
    rounded = total - total % step
    note = f"{length[0]} {rounded}: the last {total - rounded} of {total} fill no token"
    return rounded, (note,) if rounded < total else ()


def _read_size(config: Json) -> tuple[int | tuple[int, int], tuple[str, ...]]:
    """Return height and width, one number for squares, and a note for each that was rounded."""
    value = config.get("image_size")
    if not isinstance(value, list) or len(value) != 2 or value[0] == value[1]:
        return _read_length(config, ("image_size", 224), ("patch_size", 16))
    sides = [
        _read_length({**config, "image_size": side}, ("image_size", 224), ("patch_size", 16))
        for side in value
    ]
    (height, height_notes), (width, width_notes) = sides
    return (height, width), (*height_notes, *width_notes)


def _read_heads(config: Json, classes: int) -> tuple[int | None, tuple[str, ...]]:
    """Return the number of heads, and a note for ViT-S, whose published configs are wrong."""
    heads = read_positive_int(config, "num_attention_heads")
    if config.get("hidden_size") != SMALL_DIM or heads != WRONG_SMALL_HEADS:
        return heads, ()
    if classes in PUBLISHED_SMALL_CLASSES:
        return SMALL_HEADS, (
            f"config.json has {heads} heads, but the published ViT-S was trained with"
            f" {SMALL_HEADS}: {SMALL_HEADS} are used (--heads {heads} for a model that was trained"
            f" with {heads})",
        )
    return heads, (
        f"ViT-S with {heads} heads: correct only if it was fine-tuned with {heads}; the published"
        f" one has {SMALL_HEADS} (--heads {SMALL_HEADS})",
    )
