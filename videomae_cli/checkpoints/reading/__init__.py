"""Read weights from files that strangers wrote, without running anything."""
