"""The command line for people: `mwaa-migrator plan | start | watch | report | rehearse`."""
