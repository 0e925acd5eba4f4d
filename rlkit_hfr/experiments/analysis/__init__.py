"""What recorded runs show: logs, scores over seeds, figures, the report."""
