"""`videomae features`: embeddings of videos, stored in shards, with a picture and a search."""
