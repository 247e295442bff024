"""The graph file: its model, its YAML, its checks and its pictures. Knows no concrete node and no runtime.

Import what you need from the modules: `spec` (GraphSpec), `yaml` (load_text, Document, fmt), `check`
(check, Problem), `show` (text, Mermaid, SVG), `schema` (JSON Schema for editors).
"""
