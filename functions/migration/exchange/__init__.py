"""The exchange bucket: what lies where, who may touch it, and who holds which environment."""
