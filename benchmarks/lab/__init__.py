"""The claims of the papers at a small scale: videos, arms, statistics, results and their page."""
