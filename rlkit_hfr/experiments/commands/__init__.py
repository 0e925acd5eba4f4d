"""The programs: arguments in, exit code out."""
