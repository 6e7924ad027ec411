"""Plain-Python definitions of the metrics, to compare the SQL with; slow and obvious on purpose."""
