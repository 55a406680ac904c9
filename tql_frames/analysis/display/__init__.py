"""Results as people read them: text, HTML, charts, plain values."""
