"""What `prepare` writes beside the manifest: transcoded videos, shards, side tables."""
