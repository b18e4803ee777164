"""`python -m mwaa_migrator_cli`, where the command is not installed."""

from mwaa_migrator_cli.commands import main

main()
