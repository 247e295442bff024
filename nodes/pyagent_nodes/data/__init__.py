"""Items: their fields, their order, what they add up to, how they differ, and text made of them."""
