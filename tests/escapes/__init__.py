"""Ways out of a sandbox, tried one by one: each is a small program that says `ESCAPED` when it got out."""
