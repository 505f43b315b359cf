"""What `bench/licence.py` measures, a module for each form of a licence."""
