"""`make bench`: how fast PyAgent is beside what people use today, measured in the same run."""
