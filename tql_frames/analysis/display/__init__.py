"""Show results as text, HTML, charts and plain values."""
