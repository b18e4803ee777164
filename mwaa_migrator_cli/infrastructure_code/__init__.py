"""Code with which a team's own tools take over an environment as it is."""
