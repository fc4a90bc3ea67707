"""`videomae recipes`: list, show, copy and check recipes."""
