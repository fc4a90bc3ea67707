"""Pixels of a decoded frame as a player shows them: RGB, upright, over white.

Grey values of more than 8 bits are scaled by the full range of their format, as FFmpeg does: 65535
of 16-bit grey, 1.0 of float grey, becomes 255. Transparent pixels are shown over white.
"""

from typing import Any, NamedTuple

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from numpy.typing import NDArray


class Orientation(NamedTuple):
    """One of the eight ways to show a stored frame: first transposed, then its axes reversed."""

    transposes: bool = False
    reverses_rows: bool = False
    reverses_columns: bool = False

    @property
    def is_mirrored(self) -> bool:
        """Whether the frame is shown as in a mirror: no rotation gives this orientation."""
        return (self.transposes + self.reverses_rows + self.reverses_columns) % 2 == 1


def read_orientation(frame: Any) -> Orientation:
    """Return the orientation in the display matrix of a frame.

    The matrix maps a stored point (column p, row q) to (a p + c q, b p + d q); it is rounded to the
    nearest quarter turn. `frame.rotation` and other decoders take a mirrored frame for one turned
    by 180 degrees. Source: "Matrices" in the QuickTime file format; libavutil/display.h.
    """
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    if data is None:
        return Orientation()
    a, b, _, c, d = (int(value) for value in np.frombuffer(data, np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, reverses_rows=b < 0, reverses_columns=c < 0)
    return Orientation(False, reverses_rows=d < 0, reverses_columns=a < 0)


def make_upright(rgb_HWC: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """Return a view of a stored frame (H, W, 3) as it is shown: (H', W', 3)."""
    if orientation.transposes:
        rgb_HWC = rgb_HWC.transpose(1, 0, 2)
    if orientation.reverses_rows:
        rgb_HWC = rgb_HWC[::-1]
    return rgb_HWC[:, ::-1] if orientation.reverses_columns else rgb_HWC


def convert_to_rgb(frame: Any, reformatter: Any = None) -> NDArray[np.uint8]:
    """Return a frame as it is stored, in RGB (H, W, 3); FFmpeg converts all but float grey.

    A `VideoReformatter` that is used for several frames of a video saves most of the time. One
    thread converts: to start one thread per CPU, as PyAV does by default since version 17, takes
    longer than to convert a small frame, and other processes decode at the same time.
    """
    if is_float_grey(frame):  # FFmpeg takes it for limited range: below 0.06 is black
        levels_HW = np.nan_to_num(read_grey(frame)).clip(0, 1) * 255
        return np.repeat(np.rint(levels_HW).astype(np.uint8)[:, :, None], 3, axis=2)
    if has_alpha(frame):
        rgba_HWC = frame.to_ndarray(format="rgba", threads=1)
        alpha_HW1 = rgba_HWC[:, :, 3:].astype(np.uint16)
        over_white = rgba_HWC[:, :, :3] * alpha_HW1 + 255 * (255 - alpha_HW1)
        composed: NDArray[np.uint8] = ((over_white + 127) // 255).astype(np.uint8)
        return composed
    if reformatter is not None:
        frame = reformatter.reformat(frame, format="rgb24", threads=1)
    rgb_HWC: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", threads=1)
    return rgb_HWC


def has_alpha(frame: Any) -> bool:
    """Return whether the pixel format can store transparent pixels; a palette can."""
    parts = frame.format.components
    return bool(frame.format.has_palette) or any(part.is_alpha for part in parts)


def is_transparent(frame: Any) -> bool:
    """Return whether any pixel of a frame is not opaque."""
    return has_alpha(frame) and int(frame.to_ndarray(format="rgba", threads=1)[:, :, 3].min()) < 255


def is_deep_grey(frame: Any) -> bool:
    """Return whether a frame is grey with more than 8 bits."""
    is_grey = frame.format.name.startswith(("gray", "ya"))
    return is_grey and bool(frame.format.components[0].bits > 8)


def is_float_grey(frame: Any) -> bool:
    """Return whether a frame is grey in floating-point numbers."""
    return bool(frame.format.name.startswith(("grayf", "yaf")))


def read_grey(frame: Any) -> NDArray[Any]:
    """Return the stored values (H, W) of a frame that is grey with more than 8 bits."""
    kind = "f" if is_float_grey(frame) else "u"
    size = (frame.format.components[0].bits + 7) // 8
    dtype = np.dtype(f"{'>' if frame.format.name.endswith('be') else '<'}{kind}{size}")
    plane, step = frame.planes[0], len(frame.format.components)
    values = np.frombuffer(plane, dtype).reshape(frame.height, plane.line_size // size)
    return values[:, : frame.width * step : step]
