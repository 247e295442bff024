"""The rules of SEMANTICS 4-12, pure: from a run's log to what is ready next. No I/O, no clock, no chance."""
