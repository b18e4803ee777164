"""Runs an airflow command, {"arguments": [...]}, by the same code as the `airflow` program, with Airflow imported.

For 1.10.12 to 3.x; Python 3.7 has to be able to run this.
"""

import contextlib
import sys

try:
    from airflow.bin.cli import CLIFactory  # 1.10

    def main():
        arguments = CLIFactory.get_parser().parse_args()
        arguments.func(arguments)

except ImportError:
    import alembic.command  # noqa: F401
    from airflow import models
    from airflow.__main__ import main
    from airflow.cli import cli_parser
    from airflow.cli.commands import dag_command, pool_command, task_command, variable_command  # noqa: F401
    from airflow.providers_manager import ProvidersManager
    from airflow.utils import db  # noqa: F401
    from sqlalchemy.orm import configure_mappers

    with contextlib.suppress(ImportError):  # before 2.2
        import httpcore  # noqa: F401

    # What follows is kept in memory; each takes as long as some of the imports.
    cli_parser.get_parser()
    if hasattr(models, "import_all_models"):
        models.import_all_models()
        configure_mappers()
    if hasattr(ProvidersManager, "initialize_providers_configuration"):
        ProvidersManager().initialize_providers_configuration()


def run(request):
    sys.argv = ["airflow", *request["arguments"]]
    main()
    return 0
