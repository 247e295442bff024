"""Items: set, filter, collect and split their fields."""
