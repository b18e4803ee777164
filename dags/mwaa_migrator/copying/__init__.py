"""Copies and checks rows in several processes side by side."""
