"""The import: from an artifact into the target's metadata database, by way of the scratch schema."""
