"""What machines give: data sheets, what was measured here, what is assumed.

All that is on no data sheet is guessed three times, `slow`, `likely` and `fast`, with its source.
"""

from typing import NamedTuple

GUESSES = ("slow", "likely", "fast")


class Gpu(NamedTuple):
    """From the data sheet; boards with NVLink where there are any."""

    half: float
    """FLOP/s in fp16 or bf16, dense."""
    single: float
    """FLOP/s in fp32; TF32 where there is that."""
    memory: float
    """Bytes/s."""
    link: float
    """Bytes/s each way between GPUs of a node: half of what is advertised."""


GPUS = {
    "V100": Gpu(125e12, 15.7e12, 0.9e12, 150e9),
    "A6000": Gpu(155e12, 77e12, 0.768e12, 32e9),  # PCIe 4
    "A100": Gpu(312e12, 156e12, 2.039e12, 300e9),
    "H100": Gpu(989e12, 494e12, 3.35e12, 450e9),
}


class Guess(NamedTuple):
    """One number of a machine, three times."""

    says: str
    unit: str
    slow: float
    likely: float
    fast: float
    source: str


ASSUMED: dict[str, Guess] = {
    "utilisation": Guess(
        "arithmetic, share of the peak, when the GPU is full",
        "%",
        0.05,
        0.15,
        0.35,
        "assumed; the published runs below reached 1 to 18 %",
    ),
    "launch": Guess(
        "starting the kernels of one block in one micro-batch",
        "ms",
        0.6e-3,
        0.3e-3,
        0.1e-3,
        "assumed: about 60 kernels of 2 to 10 us",
    ),
    "link": Guess("link in a node, share of the data sheet", "%", 0.5, 0.7, 0.85, "assumed"),
    "network": Guess(
        "network of a node, each way",
        "GB/s",
        10e9,
        40e9,
        160e9,
        "assumed: 100, 400, 1,600 Gbit/s, of which four fifths",
    ),
    "hop": Guess("latency of one message", "us", 30e-6, 15e-6, 5e-6, "assumed"),
    "overlap": Guess(
        "share of the last backward pass that hides messages", "%", 0.3, 0.6, 0.9, "assumed"
    ),
    "cores": Guess(
        "processor cores per GPU", "", 5, 12, 16, "data sheets of DGX-1 (5) and DGX A100 (16)"
    ),
}


class Reading(NamedTuple):
    """CPU milliseconds of one core for each clip (`benchmarks/decode.py`)."""

    says: str
    one: float
    """With one clip of each decoded video."""
    four: float
    """With four."""

    @property
    def clip(self) -> float:
        """Seconds for each clip, once the video is open."""
        return (4 * self.four - self.one) / 3 / 1e3

    @property
    def opening(self) -> float:
        """Seconds for each video, whatever is read of it."""
        return self.one / 1e3 - self.clip


MEASURED: dict[str, Reading] = {
    "slow": Reading("1280 x 720", 283.0, 219.8),
    "likely": Reading("340 x 256, as Kinetics is often stored", 65.4, 35.8),
    "fast": Reading("the same encoded anew, a key frame every 16", 44.5, 27.6),
}


class Machine(NamedTuple):
    """One guess at a cluster of nodes of eight GPUs; as `ASSUMED`, in bytes and seconds."""

    peak: float
    """FLOP/s of a GPU."""
    memory: float
    """Bytes/s of a GPU."""
    utilisation: float
    launch: float
    link: float
    """Bytes/s of a GPU to the next in its node, each way."""
    network: float
    hop: float
    overlap: float
    cores: float
    opening: float
    """Seconds of one core for each video, whatever is read of it."""
    reading: float
    """Seconds of one core for each clip."""


def machine(gpu: str, guess: str, *, precision: str = "half") -> Machine:
    """Put a machine together: the data sheet of `gpu`, and one guess of all that is assumed.

    Args:
        gpu: A key of `GPUS`.
        guess: One of `GUESSES`.
        precision: `half` or `single`.
    """
    sheet, read = GPUS[gpu], MEASURED[guess]
    assumed = {name: getattr(one, guess) for name, one in ASSUMED.items()}
    assumed["link"] *= sheet.link
    return Machine(
        peak=getattr(sheet, precision),
        memory=sheet.memory,
        opening=read.opening,
        reading=read.clip,
        **assumed,
    )
