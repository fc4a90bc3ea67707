"""Facts about each video that the health report of `prepare` is made of."""
