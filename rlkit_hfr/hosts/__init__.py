"""The only code that knows a host's internals."""
