"""Many runs: the grid, where they are executed, how far they are."""
