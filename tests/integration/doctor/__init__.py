"""`mwaa-migrator doctor` against the local AWS, which lies where a test switches a lie on."""
