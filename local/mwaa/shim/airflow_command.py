"""Runs an airflow command by the same code as the `airflow` program, with Airflow imported.

A request is {"arguments": [...]}, for what is not on the web server with "dag_folder", "dag_folder_of_workers" and
"variables_of_workers", for a run that must not begin with "hold_run".

For 1.10.12 to 3.x; Python 3.7 has to be able to run this.
"""

import contextlib
import datetime
import functools
import inspect
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
    with contextlib.suppress(ImportError):  # before 2.3 and from 3.0 on; for each DAG file that has changed
        import airflow.www.security_appless
    with contextlib.suppress(ImportError):  # before 3.0; for the DAG processor, the triggerer and the API server
        import airflow.api_fastapi.execution_api.routes  # noqa: F401

    # What follows is kept in memory; each takes as long as some of the imports.
    cli_parser.get_parser()
    if hasattr(models, "import_all_models"):
        models.import_all_models()
        configure_mappers()
    if hasattr(ProvidersManager, "initialize_providers_configuration"):
        ProvidersManager().initialize_providers_configuration()
    # Whatever logs to CloudWatch looks through its stack, for which each module's file is looked up once.
    inspect.stack()


def hold_run():
    """Has Airflow 3 make a run that is not due for years. This process carries out one command, so it stays so."""
    from airflow.api.common import trigger_dag

    due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3650)
    trigger_dag.trigger_dag = functools.partial(trigger_dag.trigger_dag, run_after=due)


def run(request):
    if "dag_folder" in request:
        import local_machines

        local_machines.use_dag_folder(request["dag_folder"])
        local_machines.make_workers(request["dag_folder_of_workers"], request["variables_of_workers"])
    if request.get("hold_run"):
        hold_run()
    sys.argv = ["airflow", *request["arguments"]]
    main()
    return 0
