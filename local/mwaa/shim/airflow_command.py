"""Runs an airflow command, {"arguments": [...]}, by the same code as the `airflow` program, with Airflow imported.

For 1.10.12 to 3.x; Python 3.7 has to be able to run this.
"""

import sys

try:
    from airflow.bin.cli import CLIFactory  # 1.10

    def main():
        arguments = CLIFactory.get_parser().parse_args()
        arguments.func(arguments)

except ImportError:
    from airflow.__main__ import main
    from airflow.cli import cli_parser
    from airflow.cli.commands import dag_command, pool_command, task_command, variable_command  # noqa: F401

    # It is cached, and takes as long to make as the imports.
    cli_parser.get_parser()


def run(request):
    sys.argv = ["airflow", *request["arguments"]]
    main()
    return 0
