"""The README.md of a Hugging Face folder: a model card with code that takes the model's frames.

`config.json` and `preprocessor_config.json` cannot store the distance of the frames of a clip, and
the pipeline of transformers 5.23 spreads them over the whole video. The code written here takes the
frames that `videomae eval` takes; it needs PyAV and transformers, and not videomae.
"""

import json
from typing import Any

from videomae_cli.checkpoints.formats.folders import README_MARK
from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig

# licences that a model card names by these identifiers; any other is `other`, with a name
LICENSES = ("apache-2.0", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc0-1.0", "mit")

TITLES = {
    "classifier": "video classifier",
    "autoencoder": "pretrained masked video autoencoder",
    "encoder": "video encoder",
}
RESULTS = {
    "classifier": (
        "VideoMAEForVideoClassification",
        "logits = model(**pixels).logits[0]",
        "print(model.config.id2label[int(logits.argmax())])",
    ),
    "autoencoder": ("VideoMAEModel", "latents = model(**pixels).last_hidden_state", ""),
    "encoder": ("VideoMAEModel", "latents = model(**pixels).last_hidden_state", ""),
}
# the last line of the code for classifiers that do not predict one class
PRINTS: dict[Task, str] = {
    "single-label": RESULTS["classifier"][2],
    "multi-label": (
        "print([model.config.id2label[k] for k, p in enumerate(logits.sigmoid()) if p > 0.5])"
    ),
    "regression": "print({model.config.id2label[k]: float(x) for k, x in enumerate(logits)})",
}

CODE = """\
import av
import numpy as np
import torch
from transformers import VideoMAEImageProcessor, {model}

folder, video = ".", "video.mp4"

with av.open(video) as file:
    total = sum(1 for _ in file.decode(video=0))
{rate}{numbers}
with av.open(video) as file:
    shown = {{k: frame for k, frame in enumerate(file.decode(video=0)) if k in numbers}}
upright = {{k: np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
           for k, frame in shown.items()}}
frames = np.stack([upright[k] for k in numbers])  # {frames} frames, rows, columns, RGB

{crop}
processor = VideoMAEImageProcessor.from_pretrained(folder)  # only mean and std
pixels = processor(list(clip.numpy()), do_resize=False, do_center_crop=False, return_tensors="pt")
model = {model}.from_pretrained(folder).eval()
with torch.no_grad():
    {output}
"""
SQUARE = """\
clip = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
scaled = [{height} * side // min(clip.shape[2:]) for side in clip.shape[2:]]
clip = torch.nn.functional.interpolate(clip, scaled, mode="bilinear").round()
top, left = (round((side - {height}) / 2) for side in scaled)
clip = clip[:, :, top : top + {height}, left : left + {height}].byte()
"""
RECTANGLE = """\
clip = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
rows, columns = clip.shape[2:]
covers = {height} * columns >= {width} * rows  # one side fits, the other is as long or longer
scaled = [{height}, {height} * columns // rows] if covers else [{width} * rows // columns, {width}]
clip = torch.nn.functional.interpolate(clip, scaled, mode="bilinear").round()
top, left = round((scaled[0] - {height}) / 2), round((scaled[1] - {width}) / 2)
clip = clip[:, :, top : top + {height}, left : left + {width}].byte()
"""
# 0.299 R + 0.587 G + 0.114 B, before the frames are resized
GREY = """\
luma = np.array([19595, 38470, 7471], np.uint32)
frames = ((frames * luma).sum(axis=-1, keepdims=True) + 32768 >> 16).astype(np.uint8)
"""
RATE = """\
with av.open(video) as file:
    fps = float(file.streams.video[0].average_rate)  # of variable rates: take frames by their time
"""

TEXT = """\
---
{metadata}
---
{mark}

# VideoMAE: {title}

Licence of the weights: {license}.{origin}

- Clip: {sampling}, {height} x {width} pixels{colour}.
- Normalisation: (pixel / 255 - mean) / std with mean {mean} and std {std}.
- {result}

**The frames matter.** The video-classification pipeline of transformers 5.23 takes {frames} frames
spread over the whole video, whatever `frame_sampling_rate` says, and `config.json` cannot say
otherwise. This code takes the frames that `videomae eval` takes for one clip and one crop. It needs
`av`, `torchvision` and `transformers`:

```python
{code}```

Videos with a mirrored display matrix (of some front cameras) are an exception: PyAV takes them for
turned, and this code does not mirror them.

It resizes as `videomae` does, without antialiasing, to within one grey level of 255 (`cv2.resize`
gives the same pixels to the bit). {processor}
"""
SELECTS = (
    " This classifier was trained to see only the tokens with the most motion, which transformers"
    " cannot store: it sees all tokens there, and its outputs differ."
)


def make_readme(config: ModelConfig) -> str:
    """Return the model card of a folder."""
    model, output, last = RESULTS[config.kind]
    frames, height, width = config.grid.frames, config.grid.height, config.grid.width
    crop = (SQUARE if height == width else RECTANGLE).format(height=height, width=width)
    is_grey = config.grid.channels == 1
    last = PRINTS[config.task] if last else last
    is_timed = config.step_seconds is not None
    code = CODE.format(
        model=model,
        frames=frames,
        crop=GREY + crop if is_grey else crop,
        rate=RATE if is_timed else "",
        numbers=_make_numbers_code(config),
        output=output,
    )
    return TEXT.format(
        metadata=_make_metadata(config),
        mark=README_MARK,
        title=TITLES[config.kind],
        license=config.license or "not stated",
        origin=f" Derived from {', '.join(config.derived_from)}." if config.derived_from else "",
        sampling=describe_sampling(config, frames),
        frames=frames,
        height=height,
        width=width,
        colour=", grey (one channel)" if is_grey else "",
        processor="The processor alone would resize with antialiasing."
        if height == width
        else "The processor alone does not resize.",
        mean=list(config.mean),
        std=list(config.std),
        code=code + (last + "\n" if last else ""),
        result=_describe_result(config),
    )


def describe_sampling(config: ModelConfig, frames: int) -> str:
    """Return as text which frames of a video are a clip of `frames` frames in tests."""
    step = config.step_seconds
    if config.sampling == "segment":
        return f"{frames} frames, one from each equal part of the whole video (segment)"
    if step is not None:
        return f"{frames} frames, {step:g} seconds apart, from the middle of the video (dense)"
    return f"{frames} frames, {config.stride_frames} apart, from the middle of the video (dense)"


def _make_numbers_code(config: ModelConfig) -> str:
    """Return code that computes the `numbers` of the frames from their `total`."""
    frames, step = config.grid.frames, config.step_seconds
    every = f"for i in range({frames})]"
    stride = 1 if config.sampling == "segment" else config.stride_frames or 1
    rules = {
        "spread": f"numbers = [(2 * i * (total - 1) + {frames - 1}) // {2 * frames - 2} {every}"
        if frames > 1
        else "numbers = [(total - 1) // 2]",
        "repeat-last": f"numbers = [min({stride} * i, total - 1) {every}",
        "loop": f"numbers = [{stride} * i % total {every}",
        "refuse": 'raise ValueError(f"{video}: shorter than a clip")',
    }
    short = f"total < {frames * stride}"
    if config.sampling == "segment":
        usual = [f"numbers = [total * i // {frames} {every}"]
    elif step is None:
        usual = [
            f"steps = (total + {stride - 1}) // {stride}",
            f"start = max(steps - {frames}, 0) // 2  # the clip in the middle",
            f"numbers = [{stride} * min(start + i, steps - 1) {every}",
        ]
    else:
        short = f"total / fps + 1e-6 < {frames * step}"
        usual = [
            f"start = max(total / fps - {frames * step}, 0) / 2  # the clip in the middle",
            f"numbers = [min(int((start + i * {step} + 1e-6) * fps), total - 1) {every}",
        ]
        looped = f"((i * {step} + 1e-6) % (total / fps) + 1e-6) * fps"
        rules["loop"] = f"numbers = [min(int({looped}), total - 1) {every}"
        rules["repeat-last"] = f"numbers = [min(int((i * {step} + 1e-6) * fps), total - 1) {every}"
    rule = rules.get(config.short)
    lines = usual if rule is None else [*usual, f"if {short}:", f"    {rule}"]
    return "\n".join(lines)


def _make_metadata(config: ModelConfig) -> str:
    """Return the YAML at the head of a model card; strings are quoted as in JSON, which is YAML."""
    metadata: dict[str, Any] = {"library_name": "transformers", "tags": ["videomae"]}
    if config.kind == "classifier":
        metadata["pipeline_tag"] = "video-classification"
    if config.license is not None:
        identifier = config.license.lower()
        is_known = identifier in LICENSES
        metadata["license"] = identifier if is_known else "other"
        if not is_known:
            metadata["license_name"] = config.license
    return "\n".join(f"{name}: {json.dumps(value)}" for name, value in metadata.items())


def _describe_result(config: ModelConfig) -> str:
    if config.kind != "classifier":
        return "Result: the latents of all tokens, after the last norm if the encoder has one."
    protocol = config.protocol_or_default
    if config.task == "regression":
        return f"Result: the values of one view ({', '.join(config.classes or ())})."
    scores = "softmax" if config.task == "single-label" else "sigmoid"
    selection = "" if config.select is None and config.oversample == 1 else SELECTS
    return (
        f"Result: class logits of one view. `videomae eval` averages the {scores} of"
        f" {protocol.clips} clips by {protocol.crops} crops unless told otherwise.{selection}"
    )
