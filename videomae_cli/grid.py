"""The geometry of a clip in tokens. Only this file divides clip sizes by token sizes.

A token is one tubelet: `tubelet` frames x `patch` x `patch` pixels. Tokens are numbered slice by
slice, then row by row: index = (t * h + y) * w + x. A slice is all tokens of the same frames.
"""

from dataclasses import dataclass

from videomae_cli.errors import RecipeError


def format_size(size: int | tuple[int, int] | None) -> str:
    """Return a clip size as --size takes it: 224, or 96x160 for a height and a width."""
    return f"{size[0]}x{size[1]}" if isinstance(size, tuple) else str(size)


@dataclass(frozen=True)
class TokenGrid:
    """Frames and pixels of a clip, and its division into tokens.

    Args:
        frames: T, frames in a clip.
        height: H, in pixels.
        width: W, in pixels.
        tubelet: Frames per token.
        patch: Height and width of a token, in pixels.
        channels: C, colour channels.

    Raises:
        RecipeError: A number is not positive, or a clip size is not a multiple of the token size.
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
            size, part = getattr(self, name), getattr(self, unit)
            if size % part:
                below = size - size % part
                nearest = f"{below} or {below + part}" if below else f"{part}"
                raise RecipeError(
                    f"{name} {size} is not a multiple of {unit} {part}",
                    f"use {nearest}, or another {unit}",
                )

    @property
    def size(self) -> int | tuple[int, int]:
        """Height and width of a clip: one number for squares, as in a recipe."""
        return self.height if self.height == self.width else (self.height, self.width)

    @property
    def t(self) -> int:
        """Number of slices: tokens along time."""
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
        """P, values in one tubelet: tubelet * patch * patch * channels."""
        return self.tubelet * self.patch * self.patch * self.channels
