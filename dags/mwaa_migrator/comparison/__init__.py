"""Compares rows of two databases that number and encrypt them differently."""
