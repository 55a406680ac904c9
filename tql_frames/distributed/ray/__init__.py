"""Ray datasets: passes over their blocks by Arrow tables."""
