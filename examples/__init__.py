"""Complete examples of what CONTRIBUTING.md describes, each one runs."""
