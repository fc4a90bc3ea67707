"""What others published about the time of their pretraining, as rows to compare the model with.

Times of VideoMAE are from its issue tracker and paper, those of the others from their papers. Where
the GPU is not told, the usual one of that group and year is taken, and the page says so.
"""

from typing import NamedTuple

from scaling_machine import GPUS, GUESSES, Machine, machine
from scaling_model import Work, hours, work

ALL = ("mask.targets=all", "mask.targets_ratio=null")
DUAL = ("mask.targets=running-cell", "mask.targets_ratio=0.5")
MOTION = ("mask.strategy=motion", "mask.pool=0.3")
EPOCH = ("schedule.epochs=1", "schedule.warmup_epochs=0", "train.batch=256")
DENSE = 627_500_000_000  # MAE-ST, table 1: an encoder that sees mask tokens, multiply-accumulates


class Row(NamedTuple):
    """One published time."""

    what: str
    recipe: str
    changes: tuple[str, ...]
    gpu: str
    is_told: bool
    """Whether the source names the GPU."""
    gpus: int
    hours: float
    precision: str = "half"
    reads: bool = True
    """False where the time is without that of loading."""
    macs: int | None = None
    """Multiply-accumulates of a forward pass where no recipe of ours counts them."""

    def work(self) -> Work:
        """Return what was trained."""
        return work(self.recipe, *self.changes)

    def counted(self) -> int:
        """Return multiply-accumulates of a forward pass, as their code ran it."""
        return self.macs or self.work().published

    def machine(self, guess: str) -> Machine:
        """Return a guess at what it ran on."""
        found = machine(self.gpu, guess, precision=self.precision)
        return found if self.reads else found._replace(opening=0.0, reading=0.0)

    def predicted(self) -> list[float]:
        """Predict the hours, by each of `GUESSES`."""
        job = self.work()
        return [
            hours(job, self.machine(guess), self.gpus, macs=self.counted()) for guess in GUESSES
        ]

    def videos_a_second(self) -> float:
        """Return how many videos each GPU took in a second, all losses counted."""
        plan = self.work().plan(self.gpus)
        return plan.steps * plan.batch / self.gpus / self.hours / 3600

    def utilisation(self) -> float:
        """Return the share of its peak that each GPU reached, all losses counted."""
        job = self.work()
        clips_a_second = self.videos_a_second() * job.recipe.augment.repeats
        return 2 * self.counted() * job.passes * clips_a_second / self.peak

    @property
    def peak(self) -> float:
        """FLOP/s of the GPU at this precision."""
        return float(getattr(GPUS[self.gpu], self.precision))


VITG = ("train.recompute=true",)  # as their script does
ROWS = (
    Row("VideoMAE ViT-B, K400", "k400-vitb", (), "V100", True, 64, 27.0),
    Row("VideoMAE ViT-B, SSv2", "ssv2-vitb", (), "V100", False, 64, 19.5),
    Row("VideoMAE ViT-B, UCF101, ratio 0.75", "ucf101-vitb", (), "V100", False, 8, 30.0),
    Row("V2 ViT-B, SSv2, one mask", "ssv2-vitb", (), "A100", False, 64, 28.4),
    Row("V2 ViT-B, SSv2, dual masking", "ssv2-vitb", DUAL, "A100", False, 64, 15.9),
    Row("V2 ViT-g, one mask", "hybrid-vitg", (*VITG, *ALL), "A100", False, 64, 356.0),
    Row("V2 ViT-g, dual masking", "hybrid-vitg", VITG, "A100", False, 64, 241.0),
    Row(
        "MAE-ST ViT-L, loading left out",
        "k400-vitl-maest", (), "A100", True, 128, 24.5, "single", False,
    ),
    Row("MAE-ST ViT-L", "k400-vitl-maest", (), "A100", True, 128, 35.8, "single"),
    Row(
        "MAE-ST, encoder sees all, loading left out",
        "k400-vitl-maest", (), "A100", True, 128, 141.1, "single", False, DENSE,
    ),
    Row("EVEREST's VideoMAE, one epoch", "k400-vitb", EPOCH, "A6000", True, 8, 18.7 / 60),
    Row("EVEREST ViT-B, one epoch", "k400-vitb", (*MOTION, *EPOCH), "A6000", True, 8, 8.3 / 60),
)  # fmt: skip


class Fit(NamedTuple):
    """One free number, taken from the first row; everything else as `likely`."""

    utilisation: float | None = None
    videos_a_second: float | None = None
    """That the loader of each GPU gives."""

    def hours(self, row: Row) -> float:
        """Predict a row's hours."""
        found = row.machine("likely")
        if self.utilisation is not None:
            found = found._replace(utilisation=self.utilisation, opening=0.0, reading=0.0)
        if self.videos_a_second is not None and row.reads:
            seconds = found.cores / self.videos_a_second
            found = found._replace(opening=seconds, reading=0.0)
        return hours(row.work(), found, row.gpus, macs=row.counted())


def supply_fit() -> Fit:
    """Suppose that the first row waited for its loader."""
    return Fit(videos_a_second=ROWS[0].videos_a_second())


def compute_fit() -> Fit:
    """Suppose that the first row waited for nothing."""
    return Fit(utilisation=ROWS[0].utilisation())


class Ratio(NamedTuple):
    """Two runs that differ in nothing but the mask; no guess at a machine is needed."""

    what: str
    counted: float
    """Operations of the slower over those of the faster."""
    seen: float
    """Time of the slower over that of the faster."""


PAIRS = ((3, 4), (5, 6), (9, 7), (10, 11))  # of ROWS


def ratios() -> list[Ratio]:
    """Compare published times that differ in the mask alone."""
    found = []
    for slow, fast in PAIRS:
        one, other = ROWS[slow], ROWS[fast]
        counted = one.counted() / other.counted()
        found.append(Ratio(f"{one.what} / {other.what}", counted, one.hours / other.hours))
    return found
