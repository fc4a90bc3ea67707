"""`--dry-run`: estimate time, memory, disk space and cost of a run."""
