"""Programs that the graph itself holds."""
