"""Parts of `bench/fuzz.py`: what a target is, the readers of licences, and the corpus they begin from."""
