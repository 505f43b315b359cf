"""The demonstration city: made-up folk on real divisions, kept as a city's departments keep their data."""
