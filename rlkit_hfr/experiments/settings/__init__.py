"""A run's settings: where they come from and whether they are right."""
