"""Videos in grey of more than 8 bits (depth, thermal, X-ray): are their values visible?"""

from typing import Any

import numpy as np

from videomae_cli.data.decoding.pixels import is_float_grey, read_grey

DARKEST = 8  # a video whose brightest pixel is below 1/8 of the range is almost black


class GreyRange:
    """Lowest and highest stored value of all frames of a grey video."""

    def __init__(self, frame: Any) -> None:
        bits = frame.format.components[0].bits
        self.is_float = is_float_grey(frame)
        self.white = 1 if self.is_float else 2**bits - 1
        self.name = "float grey" if self.is_float else f"{bits}-bit grey"
        self.low, self.high, self.is_finite = float("inf"), float("-inf"), True

    def add(self, frame: Any) -> None:
        """Take a frame into account."""
        values = read_grey(frame)
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        self.is_finite = self.is_finite and bool(np.isfinite(values).all())

    @property
    def note(self) -> str:
        """Return how the values became pixels, for the summary."""
        return f"{self.name}, scaled from 0..{self.white}"

    def find_problem(self) -> str:
        """Return why the pixels would show nothing, and what to do; empty if they do."""
        if not self.is_finite:
            return f"its {self.name} contains values that are not finite; replace them"
        if self.high * DARKEST >= self.white and self.high <= self.white:
            return ""
        reached = (
            f"its {self.name} has values {self.low:.6g} to {self.high:.6g}, and 0..{self.white} is "
            "scaled to 0..255"
        )
        if self.high > self.white:
            return f"{reached}: brighter values are all white; divide the values by the highest"
        if self.is_float or self.high <= 0:
            return f"{reached}: its pixels would be almost black; scale the values"
        factor = int(self.white // self.high)
        return (
            f"{reached}: its pixels would be almost black; scale the values, for example: "
            f"ffmpeg -i IN -vf lut=c0=val*{factor} -c:v ffv1 OUT.mkv"
        )
