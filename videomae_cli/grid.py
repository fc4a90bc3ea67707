"""The geometry of a clip in tokens. The only file that divides.

A token stands for one tubelet: `tubelet` frames x `patch` x `patch` pixels. Tokens are numbered
slice by slice, row by row: index = (t * h + y) * w + x.
"""

from dataclasses import dataclass

from videomae_cli.errors import RecipeError


@dataclass(frozen=True)
class TokenGrid:
    """Frames and pixels of a clip, and how they are cut into tokens.

    Args:
        frames: T, frames in a clip.
        height: H, pixels.
        width: W, pixels.
        tubelet: Frames per token.
        patch: Pixels per token along height and along width.
        channels: C, colour channels.

    Raises:
        RecipeError: A number is not positive, or does not divide.
    """

    frames: int
    height: int
    width: int
    tubelet: int = 2
    patch: int = 16
    channels: int = 3

    def __post_init__(self) -> None:
        for name in ("frames", "height", "width", "tubelet", "patch", "channels"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}: {getattr(self, name)} is not positive")
        for name, unit in (("frames", "tubelet"), ("height", "patch"), ("width", "patch")):
            whole, part = getattr(self, name), getattr(self, unit)
            if whole % part:
                below = whole - whole % part
                near = f"{below} or {below + part}" if below else f"{part}"
                raise RecipeError(
                    f"{name} {whole} is not a multiple of {unit} {part}",
                    f"take {near}, or another {unit}",
                )

    @property
    def t(self) -> int:
        """Slices: tokens along time."""
        return self.frames // self.tubelet

    @property
    def h(self) -> int:
        """Tokens along height."""
        return self.height // self.patch

    @property
    def w(self) -> int:
        """Tokens along width."""
        return self.width // self.patch

    @property
    def slice_tokens(self) -> int:
        """Tokens in one slice, h * w."""
        return self.h * self.w

    @property
    def tokens(self) -> int:
        """N, tokens in a clip."""
        return self.t * self.slice_tokens

    @property
    def tubelet_pixels(self) -> int:
        """P, numbers in one tubelet: tubelet * patch * patch * channels."""
        return self.tubelet * self.patch * self.patch * self.channels
