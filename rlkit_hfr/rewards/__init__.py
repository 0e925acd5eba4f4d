"""Rewards of recorded trajectories under other tasks: where they come from and how they are checked."""
