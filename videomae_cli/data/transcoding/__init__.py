"""Write videos once in a form that is fast to read, and read these files: `prepare --transcode`."""
