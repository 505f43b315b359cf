"""Change the code that verifies, one place at a time, and see whether a test notices: `python -m bench.mutation -h`."""
