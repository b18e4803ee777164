"""Amazon MWAA in a local AWS: environments that are real Airflows, behind the API of the service."""
