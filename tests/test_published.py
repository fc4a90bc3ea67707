"""Recipes contain the published settings.

The tables are written from papers and scripts, not from the recipes; None: not published. Every
test lists all recipes that differ, with the actual and the published value.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from math import isclose
from typing import Any, NamedTuple

from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.engine.plan import make_training_plan
from videomae_cli.tasks.recipes.check import build_on_meta, check_recipe


class Run(NamedTuple):
    """Learning rates after all scaling; videos per step; clips per video; epochs."""

    peak: float
    floor: float | None
    videos: int
    repeats: int
    epochs: int
    warmup: int | None


class Finetuning(NamedTuple):
    """Regularisation of a classifier, and the views of its test protocol."""

    layer_decay: float
    drop_path: float
    head_dropout: float | None
    weight_decay: float
    clip_grad: float | None
    views: tuple[int, int]


RUNS = {
    # VideoMAE: pretrain.sh and finetune.sh of each row; HMDB51: the paper
    "k400-vits": Run(6e-4, 4e-5, 32 * 32, 1, 1600, 40),
    "k400-vitb": Run(1.2e-3, 8e-5, 64 * 32, 1, 800, 40),
    "k400-vitb-1600": Run(1.2e-3, 8e-5, 64 * 32, 1, 1600, 40),
    "k400-vitl": Run(3e-4, 2e-5, 64 * 8, 1, 1600, 40),
    "k400-vith": Run(6e-4, 4e-5, 64 * 16, 1, 1600, 40),
    "ssv2-vits": Run(1.2e-3, 8e-5, 64 * 32, 1, 2400, 40),
    "ssv2-vitb": Run(1.2e-3, 8e-5, 64 * 32, 1, 800, 40),
    "ssv2-vitb-2400": Run(1.2e-3, 8e-5, 64 * 32, 1, 2400, 40),
    "ucf101-vitb": Run(2.25e-4, 7.5e-6, 8 * 24, 1, 3200, 40),
    "hmdb51-vitb": Run(2.25e-4, None, 192, 1, 4800, None),
    "k400-vits-finetune": Run(7.5e-4, 1.5e-6, 32 * 12, 2, 150, 5),
    "k400-vitb-finetune": Run(2e-3, 2e-6, 64 * 8, 1, 100, 5),
    "k400-vitb-1600-finetune": Run(7.5e-4, 1.5e-6, 64 * 6, 2, 75, 5),
    "k400-vitl-finetune": Run(1e-3, 5e-7, 64 * 2, 2, 35, 5),
    "k400-vith-finetune": Run(2e-3, 2e-5, 64 * 8, 2, 50, 5),
    "ssv2-vits-finetune": Run(1.5e-3, 1.5e-6, 32 * 12, 2, 40, 5),
    "ssv2-vitb-finetune": Run(1e-3, 2e-6, 64 * 8, 1, 50, 5),
    "ssv2-vitb-2400-finetune": Run(7.5e-4, 1.5e-6, 64 * 6, 2, 30, 5),
    "ucf101-vitb-finetune": Run(2.5e-4, 5e-6, 8 * 16, 2, 100, 5),
    "hmdb51-vitb-finetune": Run(5e-4, None, 128, 2, 50, None),
    # VideoMAE V2: scripts/pretrain, scripts/finetune; final rates are 1e-5 and 1e-6 at batch 256
    "hybrid-vitb": Run(4e-3, 4e-5, 32 * 32, 4, 200, 20),
    "hybrid-vitl": Run(6e-3, 6e-5, 48 * 32, 4, 300, 30),
    "hybrid-vith": Run(8e-3, 8e-5, 64 * 32, 4, 300, 30),
    "hybrid-vitg": Run(4.8e-3, 8e-5, 64 * 32, 4, 300, 30),
    "k400-vitb-v2-finetune": Run(1.4e-3, 2e-6, 32 * 16, 2, 90, 5),
    "k710-vitb-v2-finetune": Run(1.4e-3, 2e-6, 32 * 16, 2, 90, 5),
    "ssv2-vitb-v2-finetune": Run(2e-3, 1e-6, 16 * 16, 2, 25, 5),
    "k400-vitl-v2-finetune": Run(1.5e-3, 7.5e-7, 32 * 6, 2, 35, 5),
    "ssv2-vitl-v2-finetune": Run(3.75e-4, 7.5e-7, 32 * 6, 2, 20, 5),
    "k400-vith-v2-finetune": Run(5e-4, 5e-7, 32 * 4, 2, 40, 5),
    "k600-vith-v2-finetune": Run(5e-4, 5e-7, 32 * 4, 2, 40, 5),
    "k710-vith-v2-finetune": Run(5e-4, 5e-7, 32 * 4, 2, 40, 5),
    "ssv2-vith-v2-finetune": Run(2.5e-4, 5e-7, 32 * 4, 2, 20, 5),
    "k400-vitg-v2-finetune": Run(7.5e-4, 7.5e-7, 64 * 3, 2, 30, 5),
    "k710-vitg-v2-finetune": Run(3.75e-4, 3.75e-7, 32 * 3, 2, 35, 5),
    "k400-vitg-v2-k710-finetune": Run(3.75e-6, 3.75e-7, 32 * 3, 2, 3, 1),
    "k600-vitg-v2-k710-finetune": Run(3.75e-6, 3.75e-7, 32 * 3, 2, 3, 1),
    "ssv2-vitg-v2-finetune": Run(1.125e-4, 3.75e-7, 32 * 3, 2, 20, 5),
    "ucf101-vitg-v2-k710-finetune": Run(9.375e-5, 9.375e-8, 8 * 3, 2, 50, 5),
    "hmdb51-vitg-v2-k710-finetune": Run(4.6875e-5, 9.375e-8, 8 * 3, 2, 15, 5),
    # MAE-ST: PySlowFast's configs, whose learning rates are per node, on 16 nodes
    "k400-vitb-maest": Run(16 * 1e-4, 16 * 1e-6, 16 * 64, 4, 200, 60),
    "k400-vitl-maest": Run(16 * 1e-4, 16 * 1e-6, 16 * 32, 4, 200, 30),
    "k400-vith-maest": Run(16 * 1e-4, 16 * 1e-6, 16 * 32, 4, 400, 60),
    "k400-vitb-maest-finetune": Run(16 * 6e-4, 16 * 1e-5, 16 * 16, 2, 75, 5),
    "k400-vitl-maest-finetune": Run(16 * 3e-4, 16 * 1e-5, 16 * 16, 2, 50, 5),
    "k400-vith-maest-finetune": Run(16 * 3e-4, 16 * 1e-6, 16 * 16, 1, 75, 5),
    # EVEREST: its scripts
    "ucf101-vitb-everest": Run(7.5e-4, 7.5e-6, 8 * 24, 1, 3200, 40),
    "hmdb51-vitb-everest": Run(7.5e-4, 7.5e-6, 8 * 24, 1, 4800, 40),
    "ucf101-vitb-everest-finetune": Run(5e-4, 5e-7, 8 * 16, 1, 100, 5),
    "hmdb51-vitb-everest-finetune": Run(5e-4, 5e-7, 8 * 16, 1, 50, 5),
}
FINETUNINGS = {
    "k400-vits-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (5, 3)),
    "k400-vitb-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (5, 3)),
    "k400-vitb-1600-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (5, 3)),
    "k400-vitl-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (5, 3)),
    "k400-vith-finetune": Finetuning(0.75, 0.2, 0.5, 0.05, None, (5, 3)),
    "ssv2-vits-finetune": Finetuning(0.7, 0.1, 0, 0.05, None, (2, 3)),
    "ssv2-vitb-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (2, 3)),
    "ssv2-vitb-2400-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (2, 3)),
    "ucf101-vitb-finetune": Finetuning(0.7, 0.2, 0.5, 0.05, None, (5, 3)),
    "hmdb51-vitb-finetune": Finetuning(0.7, 0.2, None, 0.05, None, (10, 3)),
    "k400-vitb-v2-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (5, 3)),
    "k710-vitb-v2-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (5, 3)),
    "ssv2-vitb-v2-finetune": Finetuning(0.65, 0.1, 0, 0.05, None, (2, 3)),
    "k400-vitl-v2-finetune": Finetuning(0.75, 0.2, 0, 0.05, None, (5, 3)),
    "ssv2-vitl-v2-finetune": Finetuning(0.75, 0.2, 0, 0.05, None, (2, 3)),
    "k400-vith-v2-finetune": Finetuning(0.8, 0.2, 0.5, 0.05, None, (5, 3)),
    "k600-vith-v2-finetune": Finetuning(0.8, 0.2, 0.5, 0.05, None, (5, 3)),
    "k710-vith-v2-finetune": Finetuning(0.8, 0.2, 0.5, 0.05, None, (5, 3)),
    "ssv2-vith-v2-finetune": Finetuning(0.8, 0.2, 0, 0.05, None, (2, 3)),
    "k400-vitg-v2-finetune": Finetuning(0.9, 0.2, 0, 0.1, None, (5, 3)),
    "k710-vitg-v2-finetune": Finetuning(0.9, 0.3, 0, 0.1, 5.0, (5, 3)),
    "k400-vitg-v2-k710-finetune": Finetuning(0.9, 0.25, 0, 0.1, None, (5, 3)),
    "k600-vitg-v2-k710-finetune": Finetuning(0.9, 0.25, 0, 0.1, None, (5, 3)),
    "ssv2-vitg-v2-finetune": Finetuning(0.9, 0.25, 0, 0.05, None, (2, 3)),
    "ucf101-vitg-v2-k710-finetune": Finetuning(0.9, 0.35, 0.5, 0.05, None, (5, 3)),
    "hmdb51-vitg-v2-k710-finetune": Finetuning(0.9, 0.35, 0.5, 0.05, None, (5, 3)),
    "k400-vitb-maest-finetune": Finetuning(0.65, 0.1, 0.3, 0.05, 5.0, (7, 3)),
    "k400-vitl-maest-finetune": Finetuning(0.75, 0.2, 0.3, 0.05, 5.0, (7, 3)),
    "k400-vith-maest-finetune": Finetuning(0.8, 0.2, 0.5, 0.05, 5.0, (7, 3)),
    "ucf101-vitb-everest-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (5, 3)),
    "hmdb51-vitb-everest-finetune": Finetuning(0.75, 0.1, 0, 0.05, None, (10, 3)),
}
# of whole models; classifiers with the classes of their data set
PARAMETERS = {
    "k400-vits": (None, 24_029_376),
    "k400-vitb": (None, 94_210_944),
    "k400-vitl": (None, 342_996_992),
    "k400-vith": (None, 692_487_296),
    "hybrid-vitb": (None, 94_210_944),
    "hybrid-vitl": (None, 317_782_016),
    "hybrid-vith": (None, 645_659_392),
    "hybrid-vitg": (None, 1_026_306_560),
    "ucf101-vitb-everest": (None, 94_210_944),
    "k400-vits-finetune": (400, 22_033_936),
    "k400-vitb-finetune": (400, 86_534_800),
    "k400-vitl-finetune": (400, 304_270_736),
    "k400-vith-finetune": (400, 632_119_440),
    "k710-vitg-v2-finetune": (710, 1_012_611_142),
    "ssv2-vits-finetune": (174, 21_946_926),
    "ssv2-vitb-finetune": (174, 86_361_006),
    "ucf101-vitb-finetune": (101, 86_304_869),
    "hmdb51-vitb-finetune": (51, 86_266_419),
}
# MAE-ST's with separable positions in encoder and decoder, in millions
MILLIONS = {
    "k400-vitb-maest": (None, 99.9),
    "k400-vitl-maest": (None, 317.7),
    "k400-vith-maest": (None, 645.7),
    "k400-vitb-maest-finetune": (400, 86.7),
    "k400-vitl-maest-finetune": (400, 304.5),
    "k400-vith-maest-finetune": (400, 632.4),
}
# tokens, visible, predicted, counted
TOKENS = {
    "k400-vitb": (1568, 160, 1408, 1408),
    "ucf101-vitb": (1568, 392, 1176, 1176),
    "hybrid-vitb": (1568, 160, 784, 704),
    "hybrid-vitg": (2048, 208, 1024, 920),
    "k400-vitl-maest": (1568, 156, 1412, 1412),
    "ucf101-vitb-everest": (1568, 156, 314, 314),
    "ucf101-vitb-everest-finetune": (1568, 940, 0, 0),
    "ego4d-oscc-vitb-everest-finetune": (1568, 940, 0, 0),
    "k400-vitb-finetune": (1568, 1568, 0, 0),
}
NOT_PUBLISHED = {"ego4d-oscc-vitb-everest-finetune"}  # learning rates and length


PRETRAININGS = [name for name in RUNS if name not in FINETUNINGS]
STRIDES = {"k400": 4, "ssv2": 2, "ucf101": 4, "hmdb51": 2}
CLIPPED = {"hybrid-vitg", "k400-vitb-maest", "k400-vitl-maest", "k400-vith-maest"}
FEW_VIDEOS = {"ucf101-vitb", "hmdb51-vitb"}


@cache
def recipe_of(name: str) -> Recipe:
    return load_recipe(name)


def family_of(name: str) -> str:
    return recipe_paths.family_of(recipe_paths.read_header(recipe_paths.find_recipe(name)))


def is_same(actual: Any, published: Any) -> bool:
    """Compare floats with a relative tolerance of 1e-9; None, not published, equals anything."""
    if published is None:
        return True
    return isclose(actual, published, rel_tol=1e-9) if published else bool(actual == published)


def differences(actual: Mapping[str, Any], published: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return actual and published value of every key whose values are not equal."""
    assert actual.keys() == published.keys()
    return {key: (actual[key], published[key]) for key in actual if actual[key] != published[key]}


def count_parameters(names: Iterable[str], classes: Mapping[str, int | None]) -> dict[str, int]:
    models = {name: build_on_meta(recipe_of(name), classes[name] or 1) for name in names}
    return {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}


def test_no_published_recipe_is_left_out_of_the_tables() -> None:
    published = [name for name in recipe_paths.list_names() if family_of(name) != "ours"]

    assert sorted([*RUNS, *NOT_PUBLISHED]) == published
    assert sorted([*FINETUNINGS, *NOT_PUBLISHED]) == [
        name for name in published if name.endswith("-finetune")
    ]


def test_learning_rates_batch_and_length_are_the_published_ones() -> None:
    wrong = {}
    for name, published in RUNS.items():
        recipe = recipe_of(name)
        plan = make_training_plan(
            recipe.schedule, recipe.train, recipe.optim, steps_per_epoch=1000, world=1
        )
        actual = Run(
            plan.peak_lr,
            plan.floor_lr,
            plan.batch,
            recipe.augment.repeats,
            plan.steps / 1000,
            plan.warmup / 1000,
        )
        if not all(map(is_same, actual, published)):
            wrong[name] = (actual, published)

    assert wrong == {}


def test_regularisation_and_views_of_fine_tuning_are_the_published_ones() -> None:
    wrong = {}
    for name, published in FINETUNINGS.items():
        recipe = recipe_of(name)
        assert recipe.kind == "finetune"
        actual = Finetuning(
            recipe.optim.layer_decay,
            recipe.model.drop_path,
            None if published.head_dropout is None else recipe.model.head_dropout,
            recipe.optim.weight_decay,
            recipe.optim.clip_grad,
            (recipe.eval.clips, recipe.eval.crops),
        )
        if actual != published:
            wrong[name] = (actual, published)

    assert wrong == {}


def test_gradients_are_clipped_in_the_same_pretraining_recipes_as_in_the_originals() -> None:
    actual = {name: recipe_of(name).optim.clip_grad for name in PRETRAININGS}

    assert (
        differences(actual, {name: 0.02 if name in CLIPPED else None for name in PRETRAININGS})
        == {}
    )


def test_models_have_the_published_parameters() -> None:
    actual = count_parameters(PARAMETERS, {name: k for name, (k, _) in PARAMETERS.items()})

    assert differences(actual, {name: count for name, (_, count) in PARAMETERS.items()}) == {}


def test_models_of_mae_st_have_the_documented_parameters() -> None:
    counts = count_parameters(MILLIONS, {name: k for name, (k, _) in MILLIONS.items()})

    assert {
        name: (counts[name], millions)
        for name, (_, millions) in MILLIONS.items()
        if abs(counts[name] / 1e6 - millions) > 0.05
    } == {}


def test_masks_have_the_published_counts() -> None:
    figures = {name: check_recipe(name, recipe_of(name)) for name in TOKENS}
    actual = {k: (f.tokens, f.visible, f.targets, f.counted) for k, f in figures.items()}

    assert differences(actual, TOKENS) == {}


def test_strides_and_frame_sampling_are_the_published_ones() -> None:
    strides = {
        name: STRIDES[name.split("-")[0]]
        for name in recipe_paths.list_names()
        if name.split("-")[0] in STRIDES
    }
    samplings = {
        name: "segment" if name.startswith(("ssv2-", "ego4d-")) else "dense"
        for name in recipe_paths.list_names("finetune")
    }

    assert (
        differences({name: recipe_of(name).clip.stride_frames for name in strides}, strides) == {}
    )
    assert differences({name: recipe_of(name).clip.sampling for name in samplings}, samplings) == {}


def test_augmentation_of_fine_tuning_is_the_published_one() -> None:
    actual, published = {}, {}
    for name in FINETUNINGS:
        augment, family = recipe_of(name).augment, family_of(name)
        assert recipe_of(name).kind == "finetune"
        actual[name] = augment.model_dump(exclude={"flip", "repeats"})
        published[name] = {
            "crop": "random-resized",
            "area": (0.08, 1.0),
            "resize": "pillow",
            "randaugment": "rand-m7-mstd0.5-inc1"
            if family == "MAE-ST"
            else "rand-m7-n4-mstd0.5-inc1",
            "color_mix": 0.0,
            "erasing": 0.25,
            "mixup": 0.0 if family == "EVEREST" else 0.8,
            "cutmix": 0.0 if family == "EVEREST" else 1.0,
            "smoothing": 0.1,
        }

    assert differences(actual, published) == {}


def test_augmentation_mask_ratio_and_optimizer_of_pretraining_are_the_published_ones() -> None:
    actual, published = {}, {}
    for name in PRETRAININGS:
        recipe = recipe_of(name)
        assert recipe.kind == "pretrain"
        crop = ("random-resized", True) if name.endswith("-maest") else ("multiscale", False)
        published[name] = (
            *crop,
            "pillow",
            0.0,
            0.75 if name in FEW_VIDEOS else 0.9,
            0.05,
            (0.9, 0.95),
        )
        actual[name] = (
            *(recipe.augment.crop, recipe.augment.flip, recipe.augment.resize),
            recipe.augment.color_mix,
            *(recipe.mask.ratio, recipe.optim.weight_decay, recipe.optim.betas),
        )

    assert differences(actual, published) == {}
