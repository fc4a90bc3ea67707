"""Find the videos of a data set and check every file: what `prepare` reads."""
