"""The processes of one run: launchers, sharding, signals, locks."""
