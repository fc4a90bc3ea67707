"""The claims, and the training runs (arms) that they compare.

An arm is the recipe `recipes/lab/pretrain.yaml` with changes; its score is the top-1 accuracy of a
linear probe of its frozen encoder. `ARM@LABELS` is the same encoder fine-tuned on so many labelled
videos, `scratch@LABELS` the same classifier without pretraining. The effect of a claim is the sum
of the scores `plus` less the sum of the scores `minus`, in points of accuracy: positive where the
paper is right. Arms are shared: each is trained once per seed, for all claims that need it.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

SCRATCH = "scratch"
BASE = "random-50"


class Arm(NamedTuple):
    """One pretraining: what differs from the recipe."""

    name: str
    changes: tuple[str, ...] = ()
    """As in --set."""
    data: str = "unlabelled"
    """The videos, see `videos.py`."""
    equal: tuple[Literal["flop", "seconds"], str] | None = None
    """The arm whose total cost this one has: its steps follow from it. None: those of the
    recipe."""


class Claim(NamedTuple):
    """A claim of a paper, as a sum of scores that it expects to be positive."""

    name: str
    sentence: str
    source: str
    """The paper, with its figures: top-1 in %."""
    plus: tuple[str, ...]
    minus: tuple[str, ...]

    @property
    def scores(self) -> tuple[str, ...]:
        """All scores that it needs."""
        return self.plus + self.minus


def masked(strategy: str, percent: int, *more: str) -> tuple[str, ...]:
    """Return the changes for a masking strategy and ratio."""
    return f"mask.strategy={strategy}", f"mask.ratio={percent / 100:g}", *more


def repeated(repeats: int) -> tuple[str, ...]:
    """Return the changes for a step of 32 clips from 32 / repeats decoded videos.

    Learning rates are multiplied by videos / 256, so that the base learning rate grows.
    """
    videos = 32 // repeats
    rates = f"optim.base_lr={1.6e-2 * repeats:g}", f"optim.min_lr={8e-5 * repeats:g}"
    batch = f"train.batch={videos}", f"train.micro_batch={videos}"
    return f"augment.repeats={repeats}", *batch, *rates


CELL = "mask.targets=running-cell", "mask.targets_ratio=0.5"
ARMS = (
    Arm(BASE),
    *(Arm(f"random-{ratio}", masked("random", ratio)) for ratio in (75, 90)),
    *(Arm(f"tube-{ratio}", masked("tube", ratio)) for ratio in (50, 75, 90)),
    *(Arm(f"frame-{ratio}", masked("time", ratio)) for ratio in (50, 75)),
    *(
        Arm(f"cell-{ratio}", masked("tube", ratio, *CELL), equal=("flop", f"tube-{ratio}"))
        for ratio in (75, 90)
    ),
    *(
        Arm(
            f"motion-{ratio}",
            masked("motion", ratio, f"mask.pool={pool}"),
            equal=("flop", f"random-{ratio}"),
        )
        for ratio, pool in ((75, 0.5), (90, 0.3))
    ),
    Arm("decoder-4", ("model.decoder.depth=4",)),
    Arm("normalised-50", ("target.normalize=patch",)),
    Arm("normalised-90", (*masked("random", 90), "target.normalize=patch")),
    Arm("in-domain", data="few"),
    Arm("out-of-domain", data="other"),
    Arm("repeats-4", repeated(4), data="encoded"),
    Arm("repeats-1", repeated(1), data="encoded", equal=("seconds", "repeats-4")),
)

CLAIMS = (
    Claim(
        "pretraining",
        "Pretraining and fine-tuning beats training from scratch.",
        "VideoMAE: SSv2 69.6 against 32.6, K400 80.0 against 68.8. MAE-ST, ViT-L: K400 84.4"
        " against 71.4",
        (f"{BASE}@320",),
        (f"{SCRATCH}@320",),
    ),
    Claim(
        "gap-over-labels",
        "The fewer labels, the larger the gain: that at 80 labels less that at 1,280.",
        "VideoMAE: gain 11.2 on K400 (240k videos), 37.0 on SSv2 (169k), 39.9 on UCF101 (9.5k),"
        " 44.6 on HMDB51 (3.5k)",
        (f"{BASE}@80", f"{SCRATCH}@1280"),
        (f"{SCRATCH}@80", f"{BASE}@1280"),
    ),
    Claim(
        "fine-tuned-over-frozen",
        "Fine-tuning the encoder beats a linear model on its frozen features.",
        "VideoMAE: SSv2 69.6 against 38.9",
        (f"{BASE}@320",),
        (BASE,),
    ),
    Claim(
        "tube-over-random-90",
        "Tube masking beats random masking at 90 %.",
        "VideoMAE: SSv2 69.6 against 68.3, K400 80.0 against 79.5",
        ("tube-90",),
        ("random-90",),
    ),
    Claim(
        "random-over-tube-90",
        "Random masking beats tube masking at 90 %.",
        "MAE-ST, ViT-L: K400 84.4 against 83.5",
        ("random-90",),
        ("tube-90",),
    ),
    Claim(
        "tube-over-random-50",
        "Tube masking beats random masking at 50 %, too.",
        "not published at this ratio; above at theirs",
        ("tube-50",),
        (BASE,),
    ),
    Claim(
        "tube-over-frame-75",
        "Tube masking beats masking whole frames, both at 75 % here.",
        "VideoMAE: tube 90 % and frame 87.5 %: SSv2 69.6 against 61.5, K400 80.0 against 76.5",
        ("tube-75",),
        ("frame-75",),
    ),
    Claim(
        "random-over-frame-75",
        "Random masking beats masking whole frames, both at 75 % here.",
        "MAE-ST, ViT-L: random 90 % and frame 75 %: K400 84.4 against 79.1",
        ("random-75",),
        ("frame-75",),
    ),
    Claim(
        "random-over-frame-50",
        "Random masking beats masking whole frames at 50 %, too.",
        "not published at this ratio; above at theirs",
        (BASE,),
        ("frame-50",),
    ),
    Claim(
        "ratio-tube-90-over-75",
        "Tube masking of 90 % beats 75 %.",
        "VideoMAE: SSv2 69.6 against 68.0, K400 80.0 against 79.8",
        ("tube-90",),
        ("tube-75",),
    ),
    Claim(
        "ratio-random-90-over-50",
        "Random masking of 90 % beats 50 %.",
        "MAE-ST: 90 % is best, 75 and 50 % are worse (a plot, no figures)",
        ("random-90",),
        (BASE,),
    ),
    Claim(
        "decoder-4-over-1",
        "A decoder of 4 blocks beats one of 1.",
        "VideoMAE: SSv2 69.6 against 68.5, K400 80.0 against 79.0. MAE-ST: K400 84.4 against 83.2",
        ("decoder-4",),
        (BASE,),
    ),
    Claim(
        "normalised-targets-50",
        "Normalised pixels as targets beat raw pixels, with 50 % random masking here.",
        "MAE-ST, ViT-L, 90 %: K400 84.4 against 83.8",
        ("normalised-50",),
        (BASE,),
    ),
    Claim(
        "normalised-targets-90",
        "Normalised pixels as targets beat raw pixels, with 90 % random masking.",
        "MAE-ST, ViT-L: K400 84.4 against 83.8",
        ("normalised-90",),
        ("random-90",),
    ),
    *(
        Claim(
            f"dual-masking-{ratio}",
            "Running-cell masking of the decoder gives more accuracy per FLOP: at equal executed"
            f" FLOP it beats decoding all tokens (tube masking, {ratio} %).",
            "VideoMAE V2: SSv2 70.15 against 70.28, in 15.9 instead of 28.4 hours, after as many"
            " epochs (90 %)",
            (f"cell-{ratio}",),
            (f"tube-{ratio}",),
        )
        for ratio in (75, 90)
    ),
    *(
        Claim(
            f"motion-selection-{ratio}",
            "Selecting the tokens with the most motion gives more accuracy per FLOP: at equal"
            f" executed FLOP it beats random masking ({ratio} %).",
            "EVEREST against VideoMAE: K400 and SSv2 about equal with 26 to 45 % less compute;"
            " HMDB51 65.8 against 62.6 (90 %)",
            (f"motion-{ratio}",),
            (f"random-{ratio}",),
        )
        for ratio in (75, 90)
    ),
    Claim(
        "repeated-sampling",
        "Four clips from each decoded video give more accuracy per time: at equal time, decoding"
        " included, they beat one clip from each.",
        "MAE-ST, ViT-L: K400 84.4 against 83.7, and 3.0 times as fast, after as many clips",
        ("repeats-4",),
        ("repeats-1",),
    ),
    Claim(
        "in-domain",
        "Pretraining on fewer videos of the task's domain beats four times as many of another, with"
        " equal steps.",
        "VideoMAE: 42k SSv2 videos against 240k K400 videos: SSv2 68.7 against 68.5",
        ("in-domain",),
        ("out-of-domain",),
    ),
)
CLAIM_NAMES = tuple(claim.name for claim in CLAIMS)
_ARMS = {arm.name: arm for arm in ARMS}


def find_arm(name: str) -> Arm:
    """Return the arm of a name."""
    return _ARMS[name]


def split_score(score: str) -> tuple[str, int | None]:
    """Return the arm of a score, and its labels; None: the frozen encoder is probed."""
    arm, _, labels = score.partition("@")
    return arm, int(labels) if labels else None


def required_scores(claims: Iterable[Claim]) -> list[str]:
    """Return the scores to measure, each after the arms that it needs, without duplicates."""
    scores: dict[str, None] = {}
    for claim in claims:
        for score in claim.scores:
            arm, _ = split_score(score)
            if arm != SCRATCH:
                equal = find_arm(arm).equal
                scores |= dict.fromkeys([equal[1]] if equal else [])
                scores[arm] = None
            scores[score] = None
    return list(scores)


def required_videos(scores: Iterable[str]) -> set[str]:
    """Return the kinds of unlabelled videos that scores need."""
    arms = {split_score(score)[0] for score in scores} - {SCRATCH}
    return {find_arm(arm).data for arm in arms}
