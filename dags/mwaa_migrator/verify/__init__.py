"""The comparison of the target with the artifact after an import."""
