"""Choose the frames of the test clips of a video, by the rules of a protocol."""

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data import frame_sampling, time_sampling
from videomae_cli.data.manifest import NO_TIMES, Times, Video
from videomae_cli.errors import DataError


def select_clips(
    protocol: Protocol, clip: ClipSpec, video: Video, times: Times = NO_TIMES
) -> list[list[int]]:
    """Return the frame numbers of the `protocol.clips` test clips of a video.

    Args:
        protocol: The test protocol.
        clip: How clips are sampled, with the protocol applied.
        video: A row of a manifest.
        times: When frames are shown, for clips that are sampled in time.

    Raises:
        DataError: The rules need a frame rate, and that of the video is unknown.
    """
    if clip.step_seconds is not None:
        timed = time_sampling.times_of(video, times)
        return time_sampling.select_test_clips(clip, timed, protocol.clips)
    span = video.frames, clip.frames, clip.stride_frames or 1
    if protocol.rules == "mmaction2":
        return frame_sampling.mmaction2_test_indices(*span, protocol.clips)
    if protocol.rules == "pyslowfast":
        if video.fps <= 0:
            raise DataError(
                f"{video.name}: its frame rate is unknown, which protocol {protocol.name} needs",
                "use a protocol that counts frames, or leave the video out",
            )
        return frame_sampling.pyslowfast_test_indices(*span, video.fps, protocol.clips)
    return frame_sampling.select_test_clips(clip, video.frames, protocol.clips)
