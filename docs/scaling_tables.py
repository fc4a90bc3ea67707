"""The tables of `docs/scaling.md`: each function returns one, in Markdown."""

from collections.abc import Callable, Sequence

from scaling_machine import ASSUMED, GPUS, GUESSES, MEASURED, Machine, machine
from scaling_model import FLOAT, NODE, Work, hours, step, videos_of, work
from scaling_published import DUAL, MOTION, ROWS, compute_fit, ratios, supply_fit

COUNTS = (8, 64, 512)
CASES = (("ViT-B", 64), ("ViT-B", 512), ("ViT-L", 512), ("ViT-g", 512))  # to be helped
VIDEO_BYTES = 0.7e6  # ten seconds of 340 x 256: the three measured ones have 0.56 to 0.89 MB
# seconds of one step of ViT-B, batch 2, on two CPU cores: two runs of benchmarks/strategies.py
HERE_SECONDS = {
    "tube": ((), 1.401, 1.555),
    "random": (("mask.strategy=random",), 1.374, 1.520),
    "tube + running cell": (DUAL, 1.039, 1.061),
    "motion": (MOTION, 0.775, 0.837),
}
HERE_BATCH = 2
UNITS = {"%": 1e2, "ms": 1e3, "us": 1e6, "GB/s": 1e-9, "": 1.0}


def models() -> dict[str, Work]:
    """Return what is predicted: three recipes on the videos of Kinetics-400."""
    return {
        "ViT-B": work("k400-vitb"),
        "ViT-L": work("k400-vitl"),
        "ViT-g": work("hybrid-vitg", "train.recompute=true", videos=videos_of("k400-vitb")),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown, numbers to the right."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def number(value: float) -> str:
    """Return three digits that count."""
    return f"{float(f'{value:.3g}'):,g}"


def asked() -> str:
    """Say what the recipes ask for."""
    rows = []
    for name, job in models().items():
        recipe, steps = job.recipe, job.plan(1).steps
        clips = steps * recipe.train.batch * recipe.augment.repeats
        operations = 2 * job.macs * job.passes
        rows.append(
            (
                name,
                f"{job.parameters / 1e6:,.0f} M",
                f"{job.macs / 1e9:.1f} G",
                f"{operations / 1e12:.2f} T",
                f"{recipe.train.batch:,} x {recipe.augment.repeats}",
                f"{steps:,}",
                f"{clips * operations / 1e18:,.0f}",
                f"{FLOAT * job.parameters / 1e6:,.0f} MB",
            )
        )
    head = ("", "parameters", "MACs forward", "FLOP of a clip's step", "videos x clips a step")
    return table((*head, "steps", "EFLOP in all", "gradients"), rows)


def here() -> str:
    """Compare counted operations with seconds on the CPU."""
    tube = work("k400-vitb").macs
    rows = []
    for name, (changes, *seconds) in HERE_SECONDS.items():
        job = work("k400-vitb", *changes)
        rate = [2 * job.macs * job.passes * HERE_BATCH / one / 1e9 for one in seconds]
        relative = [
            one / first for one, first in zip(seconds, HERE_SECONDS["tube"][1:], strict=True)
        ]
        rows.append(
            (
                name,
                f"{job.macs / 1e9:.1f} G",
                f"{job.macs / tube:.2f}",
                ", ".join(f"{one:.2f}" for one in relative),
                ", ".join(f"{one:.2f} s" for one in seconds),
                ", ".join(f"{one:.0f}" for one in rate),
            )
        )
    return table(
        ("mask", "MACs", "relative", "time, relative", "time of a step", "GFLOP/s reached"), rows
    )


def reading() -> str:
    """Say what one core reads."""
    rows = [
        (
            f"{one.says} ({guess})",
            f"{one.one:.0f} ms",
            f"{one.four:.0f} ms",
            f"{1e3 * one.opening:.0f} ms",
            f"{1e3 * one.clip:.0f} ms",
            f"{1e3 / one.one:.0f}",
        )
        for guess, one in MEASURED.items()
    ]
    head = ("video", "per clip, one of each video", "four of each", "so: per video", "per clip")
    return table((*head, "clips/s of a core"), rows)


def assumptions() -> str:
    """List what is assumed of machines."""
    rows = []
    for guess in ASSUMED.values():
        values = [getattr(guess, name) * UNITS[guess.unit] for name in GUESSES]
        rows.append(
            (
                f"{guess.says}{f', {guess.unit}' if guess.unit else ''}",
                *(f"{value:g}" for value in values),
                guess.source,
            )
        )
    sheets = [
        (
            name,
            f"{gpu.half / 1e12:g}",
            f"{gpu.single / 1e12:g}",
            f"{gpu.memory / 1e12:g}",
            f"{gpu.link / 1e9:g}",
        )
        for name, gpu in GPUS.items()
    ]
    head = ("GPU, from its data sheet", "TFLOP/s half", "TFLOP/s single", "memory, TB/s")
    return (
        table(("assumed of a machine", *GUESSES, "from"), rows)
        + "\n\n"
        + table((*head, "link each way, GB/s"), sheets)
    )


def published() -> str:
    """Set predicted beside published."""
    supply, compute = supply_fit(), compute_fit()
    rows = []
    for row in ROWS:
        slow, likely, fast = row.predicted()
        rows.append(
            (
                row.what,
                f"{row.gpus} {row.gpu}{'' if row.is_told else '?'}",
                number(row.hours),
                f"{number(fast)} - {number(likely)} - {number(slow)}",
                f"{likely / row.hours:.2f}",
                f"{row.videos_a_second():.1f}",
                f"{row.utilisation():.1%}",
                f"{supply.hours(row) / row.hours:.2f}",
                f"{compute.hours(row) / row.hours:.2f}",
            )
        )
    head = ("run", "GPUs", "published h", "predicted h, fast - likely - slow", "likely / published")
    more = ("videos/s per GPU", "of peak", "supply fitted", "compute fitted")
    return table((*head, *more), rows)


def masks() -> str:
    """Compare ratios of operations with ratios of time."""
    rows = [(one.what, f"{one.counted:.2f}", f"{one.seen:.2f}") for one in ratios()]
    tube = HERE_SECONDS["tube"]
    for name in ("tube + running cell", "motion"):
        changes, *seconds = HERE_SECONDS[name]
        counted = work("k400-vitb").macs / work("k400-vitb", *changes).macs
        seen = ", ".join(f"{a / b:.2f}" for a, b in zip(tube[1:], seconds, strict=True))
        rows.append((f"here, CPU: tube / {name}", f"{counted:.2f}", seen))
    return table(("slower / faster", "operations", "time"), rows)


def predictions() -> str:
    """Predict whole recipes on A100."""
    rows = [_prediction(name, job, gpus) for name, job in models().items() for gpus in COUNTS]
    head = ("", "A100", "micro-batch x accumulation", "step, likely", "hours, fast - likely - slow")
    return table((*head, "GPU hours", "speed-up", "busy", "binds: fast, likely, slow"), rows)


def newer() -> str:
    """Predict the same on H100, in fewer words."""
    rows = []
    for name, job in models().items():
        steps = [step(job, machine("H100", "likely"), gpus) for gpus in COUNTS]
        cells = [
            f"{number(one.seconds * job.plan(gpus).steps / 3600)} h, {one.binds}, {one.busy:.0%}"
            for one, gpus in zip(steps, COUNTS, strict=True)
        ]
        rows.append((name, *cells))
    return table(("likely hours, what binds, busy", *(f"{n} H100" for n in COUNTS)), rows)


def _prediction(name: str, job: Work, gpus: int) -> tuple[str, ...]:
    plan = job.plan(gpus)
    steps = {guess: step(job, machine("A100", guess), gpus) for guess in GUESSES}
    in_all = {guess: one.seconds * plan.steps / 3600 for guess, one in steps.items()}
    first = hours(job, machine("A100", "likely"), COUNTS[0])
    return (
        name,
        str(gpus),
        f"{plan.micro_batch} x {plan.accumulation}",
        f"{1e3 * steps['likely'].seconds:,.0f} ms",
        " - ".join(number(in_all[guess]) for guess in reversed(GUESSES)),
        f"{gpus * in_all['likely']:,.0f}",
        f"{first / in_all['likely']:.1f} of {gpus // COUNTS[0]}",
        f"{steps['likely'].busy:.0%}",
        ", ".join(steps[guess].binds for guess in reversed(GUESSES)),
    )


def parts() -> str:
    """Say what the likely step on A100 goes to."""
    rows = []
    for name, job in models().items():
        for gpus in COUNTS[1:]:
            one = step(job, machine("A100", "likely"), gpus)
            figures = (one.arithmetic, one.launching, one.updating, one.waiting, one.reading)
            rows.append((f"{name}, {gpus} GPUs", *(f"{1e3 * part:,.1f}" for part in figures)))
    head = ("ms of a step", "arithmetic", "launching", "AdamW", "waiting for the network")
    return table((*head, "reading, beside them"), rows)


def supply() -> str:
    """Say what a node must read so that its GPUs never wait, and what it can."""
    rows = []
    for gpu in ("A100", "H100"):
        for name, job in models().items():
            one = machine(gpu, "likely")
            gpus = COUNTS[1]
            plan = job.plan(gpus)
            pace = step(job, one._replace(opening=0.0, reading=0.0), gpus).seconds
            videos = NODE * plan.micro_batch * plan.accumulation / pace
            each = one.opening + plan.repeats * one.reading
            rows.append(
                (
                    f"{name}, {gpu}",
                    f"{videos:,.0f}",
                    f"{NODE * one.cores / each:,.0f}",
                    f"{videos * each / NODE:.1f} of {one.cores:g}",
                    f"{videos * VIDEO_BYTES / 1e6:,.0f} MB/s",
                )
            )
    head = ("node of eight", "videos/s wanted", "videos/s read", "cores per GPU wanted")
    return table((*head, "from disk"), rows)


def remedies() -> str:
    """Say what a change does on A100, all else as likely."""
    likely, fast = machine("A100", "likely"), machine("A100", "fast")
    anew = likely._replace(opening=fast.opening, reading=fast.reading)
    changes: dict[str, tuple[Callable[[Work], Work], Machine, bool]] = {
        "as it is": (_same, likely, False),
        "videos encoded anew": (_same, anew, False),
        "four clips of each video, a quarter of the epochs": (_repeated, likely, False),
        "twice the cores": (_same, likely._replace(cores=2 * likely.cores), False),
        "four times the network": (_same, likely._replace(network=4 * likely.network), False),
        "four times the batch": (_larger, likely, False),
        "FSDP2 instead of DDP": (_same, likely, True),
    }
    rows = []
    for words, (change, on, sharded) in changes.items():
        cells = []
        for name, gpus in CASES:
            job = change(models()[name])
            one = step(job, on, gpus, sharded=sharded)
            cells.append(f"{number(one.seconds * job.plan(gpus).steps / 3600)} h, {one.binds}")
        rows.append((words, *cells))
    return table(("A100, likely", *(f"{name}, {gpus}" for name, gpus in CASES)), rows)


def _same(job: Work) -> Work:
    return job


def _repeated(job: Work) -> Work:
    recipe = job.recipe
    if recipe.augment.repeats > 1:
        return job
    epochs = (recipe.schedule.epochs or 0) / 4
    return job._replace(
        recipe=recipe.model_copy(
            update={
                "augment": recipe.augment.model_copy(update={"repeats": 4}),
                "schedule": recipe.schedule.model_copy(update={"epochs": epochs}),
            }
        )
    )


def _larger(job: Work) -> Work:
    train = job.recipe.train
    larger = train.model_copy(update={"batch": 4 * train.batch})
    return job._replace(recipe=job.recipe.model_copy(update={"train": larger}))


TABLES = {
    one.__name__: one
    for one in (
        asked, here, reading, assumptions, published, masks,
        predictions, newer, parts, supply, remedies,
    )
}  # fmt: skip
