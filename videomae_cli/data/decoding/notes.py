"""What a viewer of a video would notice, in a few words for the summary of `prepare`."""

from fractions import Fraction
from typing import Any

from av.stream import Disposition

# codes of the transfer function in ITU-T H.273
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}


def describe_stream(container: Any, stream: Any, *, transposes: bool) -> list[str]:
    """Return notes on a video stream whose first frame has been decoded."""
    notes = []
    transfer = HDR_TRANSFERS.get(int(stream.codec_context.color_trc or 0))
    if transfer:
        notes.append(f"HDR ({transfer})")
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if aspect > 0 and aspect != 1:
        aspect = 1 / aspect if transposes else aspect
        notes.append(f"non-square pixels ({aspect.numerator}:{aspect.denominator})")
    videos = [
        other
        for other in container.streams.video
        if Disposition.attached_pic not in other.disposition
    ]
    if len(videos) > 1:
        notes.append(f"{len(videos)} video streams, stream {stream.index} used")
    return notes
