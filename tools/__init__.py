"""Tools that check the project itself."""
