"""Amazon MWAA environments: their settings, and the files that they are made of."""
