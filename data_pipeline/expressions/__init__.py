"""Data Pipeline's expressions, `#{...}`: parsed, then computed where they are constant, else written as Jinja."""
