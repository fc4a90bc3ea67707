"""Find the packets of an H.264 video that no other frame needs, so that they need not be decoded.

A picture whose `nal_ref_idc` is 0 in all its slices is not a reference: leaving it out changes no
other picture. Source: ITU-T H.264, 7.4.1; "avcC" in ISO/IEC 14496-15, as MP4 and Matroska store it.
"""

from typing import Any

SLICES = range(1, 6)  # nal_unit_type of the parts of a picture
PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE of FFmpeg


def find_length_bytes(context: Any) -> int | None:
    """Return how many bytes store the length of each NAL unit; None if all have to be decoded.

    That is so in other formats, in interlaced video, where two packets can be one frame, and before
    PyAV 18, which does not tell interlaced video.
    """
    header = context.extradata or b""
    is_length_prefixed = len(header) > 4 and header[0] == 1
    is_progressive = getattr(context, "field_order", None) == PROGRESSIVE
    if context.name != "h264" or not is_length_prefixed or not is_progressive:
        return None
    return int(header[4] & 3) + 1


def is_reference(packet: Any, length_bytes: int) -> bool:
    """Return whether other pictures may need the picture of a packet; True if it has no slices."""
    data = memoryview(packet)
    position, has_slices = 0, False
    while position + length_bytes < len(data):
        length = int.from_bytes(data[position : position + length_bytes], "big")
        header = data[position + length_bytes]
        if header & 31 in SLICES:
            if header >> 5 & 3:
                return True
            has_slices = True
        position += length_bytes + length
    return not has_slices
