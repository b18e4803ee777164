"""Stands for the module of that name in the images of Airflow 3, as far as others than the images call it."""

from mwaa.config import rds_iam


class RDSIAMCredentialProvider:
    @classmethod
    def get_token(cls) -> str:
        return rds_iam.token()
