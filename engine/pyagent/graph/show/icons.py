"""Icons of node types as SVG strokes on a square of 24 by 24; unknown names get a box."""

from __future__ import annotations

_BOX = "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8"

ICONS: dict[str, str] = {
    "alert": "M12 4l9 16H3zM12 10v4M12 17v.01",
    "arrow-right": "M5 12h14M13 6l6 6-6 6",
    "bell": "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
    "bolt": "M13 3L5 14h6l-1 7 8-11h-6z",
    "book": "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
    "bug": "M8 9a4 4 0 0 1 8 0v5a4 4 0 0 1-8 0zM4 8l4 2M20 8l-4 2M4 18l4-2M20 18l-4-2M3 13h5M16 13h5",
    "check": "M5 12l5 5 9-10",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
    "code": "M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16",
    "database": "M4 6c0-4 16-4 16 0v12c0 4-16 4-16 0zM4 6c0 4 16 4 16 0M4 12c0 4 16 4 16 0",
    "download": "M12 4v11M7 11l5 5 5-5M5 20h14",
    "file": "M6 3h8l4 4v14H6zM14 3v4h4",
    "file-input": "M8 3h7l4 4v14H8v-4M15 3v4h4M3 12h9M9 9l3 3-3 3",
    "file-output": "M16 21H5V3h7l4 4v2M12 3v4h4M11 14h9M17 11l3 3-3 3",
    "file-text": "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
    "filter": "M4 5h16l-6 8v6l-4-2v-4z",
    "flag": "M6 21V4h12l-3 4 3 4H6",
    "flask": "M9 3h6M10 3v6l-5 9a2 2 0 0 0 2 3h10a2 2 0 0 0 2-3l-5-9V3M7 15h10",
    "globe": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c-5 6-5 12 0 18M12 3c5 6 5 12 0 18",
    "layers": "M12 4l9 5-9 5-9-5zM3 14l9 5 9-5",
    "list": "M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01",
    "merge": "M7 4v4c0 4 5 4 5 8v4M17 4v4c0 4-5 4-5 8M9 17l3 3 3-3",
    "octagon": "M8 3h8l5 5v8l-5 5H8l-5-5V8zM9 9l6 6M15 9l-6 6",
    "package": _BOX,
    "pencil": "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4",
    "play": "M7 4l13 8-13 8z",
    "refresh": "M20 11a8 8 0 0 0-14-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14 4l2-2M20 20v-5h-5",
    "repeat": "M4 11V9a3 3 0 0 1 3-3h13M17 3l3 3-3 3M20 13v2a3 3 0 0 1-3 3H4M7 21l-3-3 3-3",
    "route": "M6 4a2 2 0 1 0 0 4 2 2 0 0 0 0-4M18 16a2 2 0 1 0 0 4 2 2 0 0 0 0-4M8 6h7a3 3 0 0 1 0 6H9a3 3 0 0 0 0 6h7",
    "search": "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15 15l5 5",
    "shield": "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM9 12l2 2 4-4",
    "split": "M12 20v-6c0-4-6-4-6-8V4M12 14c0-4 6-4 6-8V4M3 7l3-3 3 3M15 7l3-3 3 3",
    "table": "M4 5h16v14H4zM4 10h16M10 5v14",
    "terminal": "M5 7l5 5-5 5M12 17h7",
    "undo": "M9 5L4 10l5 5M4 10h10a5 5 0 0 1 0 10h-3",
    "ungroup": "M4 4h7v7H4zM13 13h7v7h-7zM15 5l4 4M19 5l-4 4",
    "user-check": "M9 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M3 20c0-7 12-7 12 0M16 10l2 2 4-4",
    "wand": "M4 20L15 9M17 7l-2-2M18 3v4M16 5h4M20 12v4M18 14h4M8 3v4M6 5h4",
    "workflow": "M4 4h6v6H4zM14 14h6v6h-6zM7 10v4a3 3 0 0 0 3 3h4",
}
"""Path data by name."""


def icon(name: str) -> str:
    """The path data of an icon."""
    return ICONS.get(name, _BOX)
