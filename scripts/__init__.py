"""Programs that make data of the repository; nothing here is installed."""
