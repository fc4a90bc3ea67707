"""The matrices of timm's rotation, shears and translations, with the roundings of Pillow."""

import math
from collections.abc import Callable

from timm.data import auto_augment

from videomae_cli.data.augmentation.affine import Matrix


def _rotate(degrees: float, height: int, width: int) -> Matrix:
    """Rotate about the centre, as `PIL.Image.Image.rotate` does."""
    angle = -math.radians(degrees % 360)
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x, y = width / 2, height / 2
    return (
        *(cosine, sine, cosine * -x + sine * -y + x),
        *(-sine, cosine, -sine * -x + cosine * -y + y),
    )


def _shear_x(factor: float, _height: int, _width: int) -> Matrix:
    return 1, factor, 0, 0, 1, 0


def _shear_y(factor: float, _height: int, _width: int) -> Matrix:
    return 1, 0, 0, factor, 1, 0


def _translate_x(share: float, _height: int, width: int) -> Matrix:
    return 1, 0, share * width, 0, 1, 0


def _translate_y(share: float, height: int, _width: int) -> Matrix:
    return 1, 0, 0, 0, 1, share * height


MATRICES: dict[object, Callable[[float, int, int], Matrix]] = {
    auto_augment.rotate: _rotate,
    auto_augment.shear_x: _shear_x,
    auto_augment.shear_y: _shear_y,
    auto_augment.translate_x_rel: _translate_x,
    auto_augment.translate_y_rel: _translate_y,
}
"""By function of timm: the matrix for its argument, and height and width in pixels."""
