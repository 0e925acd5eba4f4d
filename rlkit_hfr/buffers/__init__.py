"""Replay buffers that route each path to the task where it helps."""
