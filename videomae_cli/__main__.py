"""`python -m videomae_cli` is `videomae`; a launcher starts it on every rank."""

from videomae_cli.cli.app import main

main()
