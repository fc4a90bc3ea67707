"""Which way to go with so many videos on such a machine: published weights, or pretraining.

Figures: top-1 of ViT-B in VideoMAE's paper, arXiv 2203.12602, but the 30 hours, which are from
issue 48 of its repository; runs of `small-data-vits` in benchmarks/RESULTS.md.
"""

from typing import NamedTuple

from videomae_cli.report import Report

FEW, MANY = 10_000, 42_000
"""Training videos: published weights were better for 3,570 and 9,537, about as good for 42,000."""
FEW_REASON = (
    "with Kinetics-400's weights ViT-B reaches 73.3 % on HMDB51 (3,570 training videos) and 96.1 %"
    " on UCF101 (9,537), pretrained on their own videos 62.6 and 91.3 % after thousands of epochs"
    " on GPUs, without pretraining 18.0 and 51.4 %; pretrained on 162 videos on 2 CPU cores, ViT-S"
    " did worse than naming the larger class"
)
NO_GPU_REASON = (
    "no GPU was found, and pretraining on UCF101's 9,537 videos took 30 hours on 8 of them"
)
BETWEEN_REASON = (
    "nothing is published between 9,537 videos, where Kinetics-400's weights are better than"
    " pretraining (96.1 against 91.3 %), and 42,000, where they are as good (68.5 against 68.7 %);"
    " with GPUs, compare both on a validation split"
)
MANY_REASON = (
    "ViT-B pretrained on 42,000 videos of Something-Something V2 reaches 68.7 %, on all 168,913 of"
    " them 69.6 %, on Kinetics-400's 240,000 68.5 %; that took 19.5 hours on 64 GPUs, and --dry-run"
    " says what it takes here"
)


class StartingPoint(NamedTuple):
    """Advice on where to start."""

    pretrains: bool
    """Pretraining on these videos is worth its time."""
    reason: str
    """A sentence with the figures behind it."""
    command: str
    """What to run; `WEIGHTS` stands for the path of published weights."""

    @property
    def way(self) -> str:
        """The advice in words."""
        return "pretrain on these videos" if self.pretrains else "start from published weights"

    def show(self, report: Report, introduction: str) -> None:
        """Report what to do, the command, and why."""
        report.say(f"{introduction}: {self.way}")
        report.say(f"  {self.command}")
        report.say(f"  why: {self.reason} (docs/small-data.md)")


def choose_starting_point(
    videos: int, data: str, *, has_labels: bool, has_gpu: bool | None
) -> StartingPoint:
    """Choose by the number of training videos, and by the machine if it is known.

    Args:
        videos: Training videos.
        data: The prepared directory, as in a shell.
        has_labels: The videos have labels.
        has_gpu: Training would run on a GPU; None: not known.
    """
    pretrain = f"videomae pretrain --recipe small-data-vits --data {data}"
    finetune = f"videomae finetune --recipe small-data-vits-finetune --data {data}"
    if videos >= MANY and has_gpu is not False:
        return StartingPoint(
            True, MANY_REASON, f"videomae pretrain --recipe k400-vitb --data {data}"
        )
    reason = BETWEEN_REASON if has_gpu is not False else NO_GPU_REASON
    use_weights = f"{finetune if has_labels else pretrain} --checkpoint WEIGHTS"
    return StartingPoint(False, FEW_REASON if videos <= FEW else reason, use_weights)
