"""The artifact: what an export leaves in a directory or in S3, and the only thing that an import reads."""
