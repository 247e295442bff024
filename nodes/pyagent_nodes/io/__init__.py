"""The file system: read and write files."""
