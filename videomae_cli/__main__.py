"""`python -m videomae_cli`: the same program as `videomae`; what a launcher starts on every rank."""

from videomae_cli.cli.app import main

main()
