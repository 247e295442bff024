"""A slow, obvious reading of SEMANTICS 2-12 that shares no code with the engine."""
