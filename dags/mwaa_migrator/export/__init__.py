"""The export: from the source's metadata database into an artifact."""
