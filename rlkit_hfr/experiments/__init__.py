"""What the programs do: settings, runs, sweeps of runs, analysis of their logs,
pictures, and the commands themselves.
"""
