"""Recipes say what was published: tables written from the papers and scripts, not from the recipes.

A None stands for what was not published.
"""

from typing import NamedTuple

import pytest

from videomae_cli.config import recipe_paths
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.engine.plan import make_training_plan
from videomae_cli.tasks.recipes.check import check, model_of


class Run(NamedTuple):
    """Rates per step after all scaling; videos per step, clips of each video; passes."""

    peak: float
    floor: float | None
    videos: int
    repeats: int
    epochs: int
    warmup: int | None


class Finetuning(NamedTuple):
    """What keeps a classifier from learning by heart, and how it was tested."""

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
    # VideoMAE V2: scripts/pretrain, scripts/finetune; floors are 1e-5 and 1e-6 at batch 256
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
    # MAE-ST: PySlowFast's configs, whose rates are per node, on 16 nodes
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
NOT_PUBLISHED = {"ego4d-oscc-vitb-everest-finetune"}  # rates and length


def test_no_published_recipe_is_left_out_of_the_tables() -> None:
    theirs = [
        name
        for name in recipe_paths.list_names()
        if recipe_paths.family_of(recipe_paths.read_header(recipe_paths.find_recipe(name)))
        != "ours"
    ]

    assert sorted([*RUNS, *NOT_PUBLISHED]) == theirs
    assert sorted([*FINETUNINGS, *NOT_PUBLISHED]) == [
        name for name in theirs if name.endswith("-finetune")
    ]


@pytest.mark.parametrize("name", RUNS)
def test_rates_batch_and_length_are_the_published_ones(name: str) -> None:
    recipe, wanted = load_recipe(name), RUNS[name]
    plan = make_training_plan(
        recipe.schedule, recipe.train, recipe.optim, steps_per_epoch=1000, world=1
    )

    assert plan.peak_lr == pytest.approx(wanted.peak, rel=1e-9)
    assert (plan.batch, recipe.augment.repeats) == (wanted.videos, wanted.repeats)
    assert plan.steps == 1000 * wanted.epochs
    if wanted.floor is not None:
        assert plan.floor_lr == pytest.approx(wanted.floor, rel=1e-9)
    if wanted.warmup is not None:
        assert plan.warmup == 1000 * wanted.warmup


@pytest.mark.parametrize("name", FINETUNINGS)
def test_what_holds_a_classifier_back_is_as_published(name: str) -> None:
    recipe, wanted = load_recipe(name, kind="finetune"), FINETUNINGS[name]

    assert recipe.optim.layer_decay == wanted.layer_decay
    assert recipe.model.drop_path == wanted.drop_path
    assert wanted.head_dropout in (None, recipe.model.head_dropout)
    assert recipe.optim.weight_decay == wanted.weight_decay
    assert recipe.optim.clip_grad == wanted.clip_grad
    assert (recipe.eval.clips, recipe.eval.crops) == wanted.views


@pytest.mark.parametrize("name", [name for name in RUNS if name not in FINETUNINGS])
def test_gradients_are_clipped_in_pretraining_where_they_were(name: str) -> None:
    clipped = {"hybrid-vitg", "k400-vitb-maest", "k400-vitl-maest", "k400-vith-maest"}

    assert load_recipe(name).optim.clip_grad == (0.02 if name in clipped else None)


@pytest.mark.parametrize("name", PARAMETERS)
def test_models_have_the_published_parameters(name: str) -> None:
    classes, wanted = PARAMETERS[name]
    model = model_of(load_recipe(name), classes or 1)

    assert sum(parameter.numel() for parameter in model.parameters()) == wanted


@pytest.mark.parametrize("name", MILLIONS)
def test_models_of_mae_st_have_the_documented_parameters(name: str) -> None:
    classes, wanted = MILLIONS[name]
    model = model_of(load_recipe(name), classes or 1)

    assert sum(one.numel() for one in model.parameters()) / 1e6 == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("name", TOKENS)
def test_masks_have_the_published_counts(name: str) -> None:
    checked = check(name, load_recipe(name))

    assert (checked.tokens, checked.visible, checked.targets, checked.counted) == TOKENS[name]


@pytest.mark.parametrize(
    ("name", "stride"), [("k400", 4), ("ssv2", 2), ("ucf101", 4), ("hmdb51", 2)]
)
def test_frames_lie_as_far_apart_as_published(name: str, stride: int) -> None:
    found = {
        one: load_recipe(one).clip.stride_frames
        for one in recipe_paths.list_names()
        if one.startswith(f"{name}-")
    }

    assert found == dict.fromkeys(found, stride)


@pytest.mark.parametrize("name", recipe_paths.list_names("finetune"))
def test_clips_of_something_something_are_spread_over_the_video(name: str) -> None:
    is_spread = name.startswith(("ssv2-", "ego4d-"))

    assert load_recipe(name).clip.sampling == ("segment" if is_spread else "dense")


@pytest.mark.parametrize("name", FINETUNINGS)
def test_labelled_clips_are_varied_as_published(name: str) -> None:
    augment = load_recipe(name, kind="finetune").augment
    family = recipe_paths.family_of(recipe_paths.read_header(recipe_paths.find_recipe(name)))
    policy = "rand-m7-mstd0.5-inc1" if family == "MAE-ST" else "rand-m7-n4-mstd0.5-inc1"

    assert (augment.crop, augment.area) == ("random-resized", (0.08, 1.0))
    assert (augment.randaugment, augment.erasing, augment.smoothing) == (policy, 0.25, 0.1)
    assert (augment.mixup, augment.cutmix) == ((0, 0) if family == "EVEREST" else (0.8, 1.0))


@pytest.mark.parametrize("name", [name for name in RUNS if name not in FINETUNINGS])
def test_unlabelled_clips_are_varied_and_hidden_as_published(name: str) -> None:
    recipe = load_recipe(name, kind="pretrain")
    few = name in ("ucf101-vitb", "hmdb51-vitb")
    varied = ("random-resized", True) if name.endswith("-maest") else ("multiscale", False)

    assert (recipe.augment.crop, recipe.augment.flip) == varied
    assert recipe.mask.ratio == (0.75 if few else 0.9)
    assert (recipe.optim.weight_decay, recipe.optim.betas) == (0.05, (0.9, 0.95))
