"""What a relabeler may ask of an algorithm."""
