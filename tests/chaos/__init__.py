"""Random runs under random faults, and what must hold whatever happens (SEMANTICS 17-21)."""
