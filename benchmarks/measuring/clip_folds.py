"""One fold of a cross-validation on labelled clips: pretrain, fine-tune, probe frozen features.

What a fold trains sees the clips of the other folds alone: pretraining too, which needs no labels,
never sees a clip of the fold that is tested. Everything is stored below the folder of the fold and
is not done again. The settings are those of the recipes of `videomae demo` (a tiny model, random
masks of one half, raw targets), but for clips of 8 frames of 64 pixels at 10 Hz, patches of 16
pixels and a learning rate of 2e-3.

Shapes: V videos, K classes, D embedding dimension.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from measuring.frame_mean import measure_frame_variance
from videomae_cli import atomic
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import SCRATCH, FinetuneRecipe, PretrainRecipe
from videomae_cli.data.manifest import read_manifest, write_manifest
from videomae_cli.data.time_sampling import with_times
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError
from videomae_cli.report import Silence
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.evaluate.output import SCORES
from videomae_cli.tasks.features.encoder import LoadedEncoder, build_random_encoder, load_encoder
from videomae_cli.tasks.features.extract import extract_features, make_options
from videomae_cli.tasks.probe.curve import PROBES
from videomae_cli.tasks.probe.probe import collect_labelled
from videomae_cli.tasks.probe.samples import Floats, Index, LabelledVideos
from videomae_cli.tasks.probe.sources import suggest_column
from videomae_cli.tasks.run_dir import FINAL, METRICS
from videomae_cli.tasks.train import finetune, pretrain

SHARED = ("clip.stride_frames=null", "clip.fps=10", "augment.flip=true", "augment.resize=torch")
SHARED += ("augment.crop=multiscale", "train.workers=0", "train.save_every_steps=1000000")
PRETRAIN = ("optim.base_lr=3.2e-2",)  # 2e-3 in batches of 16
FINETUNE = ("eval.every_epochs=null",)
CLIPS = 3  # of each video that is tested, or whose features are probed
SPLITS = ("train", "test")


class Settings(NamedTuple):
    """What determines the figures, beside the clips and the seeds."""

    folds: int = 5
    pretrain_steps: int = 1500
    finetune_steps: int = 300
    size: int = 64
    patch: int = 16
    batch: int = 16
    group_column: str = ""
    """Column of the list that names the source of each clip; "": each is a source of its own."""

    def pretrain_recipe(self, seed: int, data: Path) -> PretrainRecipe:
        """Return the recipe of the pretraining on prepared clips."""
        recipe: PretrainRecipe = self._recipe("demo", self.pretrain_steps, seed, data, *PRETRAIN)
        return recipe

    def finetune_recipe(self, seed: int, data: Path) -> FinetuneRecipe:
        """Return the recipe of the fine-tuning, from scratch."""
        recipe: FinetuneRecipe = self._recipe(
            "demo-finetune", self.finetune_steps, seed, data, *FINETUNE
        )
        return recipe

    def _recipe(self, name: str, steps: int, seed: int, data: Path, *more: str) -> Any:
        """Return a recipe of the demonstration with the settings of this benchmark."""
        words = [f"clip.size={self.size}", f"clip.patch={self.patch}", f"schedule.steps={steps}"]
        words += [f"schedule.warmup_steps={steps // 20}", f"train.batch={self.batch}"]
        words += [f"train.micro_batch={self.batch}"]
        recipe = load_recipe(name, [*SHARED, *words, *more])
        return recipe.model_copy(update={"data": data, "seed": seed})


def open_clips(folder: Path, column: str | None) -> tuple[LabelledVideos, str]:
    """Return the labelled clips of a prepared directory, and the column of their sources.

    Raises:
        UsageError: There is no such column.
        DataError: There are no labels, or several for each clip.
    """
    manifest = with_times(read_manifest(folder))
    column = suggest_column(manifest) if column is None else column
    clips = collect_labelled(manifest, "test", column or None)
    if clips.target.task != "single-label":
        raise DataError(f"{folder}: accuracy and AUC need one class for each video")
    return clips, column


class Fold:
    """The trained models of one fold, and what they answer for its clips.

    Args:
        clips: All clips.
        test: The clips of the fold, in ascending order.
        folder: Where everything is stored.
        settings: How to train.
        seed: Of masks, weights and the order of clips.
    """

    def __init__(
        self, clips: LabelledVideos, test: Index, folder: Path, settings: Settings, seed: int
    ) -> None:
        self.clips, self.test, self.folder = clips, test, folder
        self.settings, self.seed = settings, seed
        self.train = np.setdiff1d(np.arange(clips.target.videos), test)

    def run(self) -> dict[str, Any]:
        """Return the outputs of each model for the clips of the fold, and what it took."""
        self._write_data()
        pretraining = self._remember("pretraining", self._pretrain)
        found = {"pretraining": pretraining}
        for start in ("pretrained", SCRATCH):
            name = f"fine-tuned, {start}"
            found[name] = self._remember(name, lambda start=start: self._finetune(start))
        for start in ("pretrained", "random"):
            name = f"frozen, {start}"
            found[name] = self._remember(name, lambda start=start: self._probe(start))
        return found

    @property
    def frame_mean_loss(self) -> float:
        """Pretraining loss of predicting the mean of each frame: the plateau of raw targets."""
        return measure_frame_variance(self.settings.pretrain_recipe(self.seed, self._data))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _write_data(self) -> None:
        manifest, rows = self.clips.manifest, set(self.test.tolist())
        videos = [
            video._replace(split=SPLITS[number in rows])
            for number, video in enumerate(self.clips.videos)
        ]
        write_manifest(
            self._data,
            root=manifest.root,
            videos=videos,
            classes=manifest.classes,
            facts={},
            times=manifest.times,
        )

    def _remember(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return what a finished part found, or compute and store it with its processor time."""
        path = self.folder / f"{name.replace(', ', '-')}.json"
        if not path.is_file():
            began = time.process_time()
            found = compute()
            atomic.write_json(path, {**found, "cpu_seconds": time.process_time() - began})
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content

    def _pretrain(self) -> dict[str, float]:
        """Pretrain without labels; return its loss at the end, and that of predicting the mean."""
        run_dir = self.folder / "pretrain"
        pretrain.run(self.settings.pretrain_recipe(self.seed, self._data), run_dir, Silence())
        lines = read_metrics(run_dir / METRICS)
        trivial = [line["trivial_loss"] for line in lines if "trivial_loss" in line]
        losses = [line["loss"] for line in lines]
        last = losses[-max(1, len(losses) // 10) :]
        return {"loss": float(np.mean(last)), "trivial_loss": float(np.mean(trivial))}

    def _finetune(self, start: str) -> dict[str, Any]:
        """Fine-tune all weights; return output_VK for the clips of the fold."""
        run_dir = self.folder / f"finetune-{start}"
        recipe = self.settings.finetune_recipe(self.seed, self._data)
        weights = str(self._pretrained) if start == "pretrained" else start
        finetune.run(recipe.model_copy(update={"start": weights}), run_dir, Silence())
        options = EvalOptions(split="test", clips=CLIPS, crops=1, out=run_dir / "eval")
        result = evaluate.run(run_dir / FINAL, Silence(), options)
        if result.failures:
            raise DataError(f"{self._data}: {result.failures[0].reason}")
        with np.load(run_dir / "eval" / SCORES) as scores:
            return {"output": scores["probability"].tolist()}

    def _probe(self, start: str) -> dict[str, Any]:
        """Fit probes to the features of a frozen encoder; return output_VK of each."""
        encoder = load_encoder(str(self._pretrained))
        if start == "random":
            encoder = build_random_encoder(encoder.config, self.seed)
        feature_VD, target = self._extract(encoder), self.clips.target
        train, test = feature_VD[self.train], feature_VD[self.test]
        return {
            name: PROBES[name](train, target.take(self.train), test, seed=self.seed).tolist()
            for name in ("linear", "knn")
        }

    @property
    def _pretrained(self) -> Path:
        return self.folder / "pretrain" / FINAL

    def _extract(self, encoder: LoadedEncoder) -> Floats:
        """Return feature_VD of all clips, in their order."""
        with Runtime("auto") as runtime:
            table = extract_features(
                encoder,
                with_times(read_manifest(self._data)),
                SPLITS,
                self.folder / "features",
                runtime=runtime,
                report=Silence(),
                options=make_options("mean", clips=CLIPS, crops=1),
            )
        if table.rejected:
            raise DataError(f"{self._data}: {table.rejected[0]}")
        rows = {path: row for row, path in enumerate(table.paths)}
        return table.feature[[rows[video.name] for video in self.clips.videos]]
