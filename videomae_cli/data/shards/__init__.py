"""Videos in tar archives: written by `prepare --shards`, read by ranges of bytes."""
