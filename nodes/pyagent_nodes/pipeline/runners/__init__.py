"""Small programs that run inside the environment of the repository under test; they need nothing of PyAgent."""
