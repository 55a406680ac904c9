"""Support Ray Datasets: passes over blocks of Arrow tables."""
