"""The card beside a set of weights, as text: read, checked, written."""

from pathlib import Path

from pydantic import ValidationError

from videomae_cli.config.card import Card
from videomae_cli.errors import CheckpointError

CARD_FILE = "model.json"
CARD_KEY = "videomae_card"  # in a safetensors header, and beside the weights in a torch file
CARRIED_KEY = "videomae_carried_card"  # in a safetensors header, of weights under other names


def read_card(directory: Path) -> Card:
    """Read `model.json` of a directory.

    Raises:
        CheckpointError: It is missing or does not describe a model.
    """
    path = directory / CARD_FILE
    try:
        return parse_card(path.read_text(encoding="utf-8"), str(path))
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} is missing or unreadable", "is this a videomae directory?"
        ) from error


def parse_card(text: str, place: str) -> Card:
    """Read a card from its JSON text; `place` is named in errors.

    Raises:
        CheckpointError: The text is not a card.
    """
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'text'}: {fault['msg']}"
            for fault in error.errors()[:3]
        )
        raise CheckpointError(f"{place} does not describe a model: {faults}") from error


def card_line(card: Card) -> str:
    """Return the card as one line of JSON."""
    return card.model_dump_json()
