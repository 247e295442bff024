"""The flow of a graph: where a run starts, branches, joins, repeats, waits and ends."""
