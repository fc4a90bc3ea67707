"""Reading, converting and writing weights."""
