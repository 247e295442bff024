"""Memory: what runs remember, found again by words, meaning, tags, time and links."""
