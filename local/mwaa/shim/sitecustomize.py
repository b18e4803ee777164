"""Lets old versions of boto3 in the Airflow processes of local environments find the local AWS.

botocore reads AWS_ENDPOINT_URL from 1.31 on (July 2023). Older Airflow versions bring older ones, to which this gives
the endpoint; on MWAA there is nothing of it. Python 3.7 has to be able to read this file.
"""

import importlib.abc
import importlib.util
import os
import sys


class _EndpointForOldBotocore(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "botocore.session":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _give_endpoint(module)

        spec.loader.exec_module = exec_module
        return spec


def _give_endpoint(module):
    import botocore

    if tuple(int(part) for part in botocore.__version__.split(".")[:2]) >= (1, 31):
        return
    create = module.Session.create_client

    def create_client(self, service_name, *arguments, **options):
        # endpoint_url is the fifth positional parameter after the service's name; boto3 passes it by name.
        if options.get("endpoint_url") is None and len(arguments) < 5:
            options["endpoint_url"] = os.environ["AWS_ENDPOINT_URL"]
        return create(self, service_name, *arguments, **options)

    module.Session.create_client = create_client


if os.environ.get("AWS_ENDPOINT_URL"):
    sys.meta_path.insert(0, _EndpointForOldBotocore())
