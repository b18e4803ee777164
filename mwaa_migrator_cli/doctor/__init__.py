"""Asks an account what the documentation leaves open: docs/doctor.md."""
