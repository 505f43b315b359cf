"""Reproducible measurements beside their peers; run as `python bench/NAME.py [--quick]`."""
