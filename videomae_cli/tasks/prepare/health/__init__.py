"""The health report of `prepare`: what may be wrong with a data set, and what to do about it."""
