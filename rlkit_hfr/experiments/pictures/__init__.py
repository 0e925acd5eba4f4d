"""Pictures of task families, of trained agents, and of what relabelers choose."""
