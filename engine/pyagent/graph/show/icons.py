"""Icons of node types as SVG strokes on a square of 24 by 24; unknown names get a box."""

from __future__ import annotations

_BOX = "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8"

ICONS: dict[str, str] = {
    "alert": "M12 4l9 16H3zM12 10v4M12 17v.01",
    "arrow-down-up": "M8 4v16M4 16l4 4 4-4M16 20V4M12 8l4-4 4 4",
    "arrow-right": "M5 12h14M13 6l6 6-6 6",
    "bell": "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
    "bolt": "M13 3L5 14h6l-1 7 8-11h-6z",
    "book": "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
    "braces": "M9 4c-4 0-2 6-5 8 3 2 1 8 5 8M15 4c4 0 2 6 5 8-3 2-1 8-5 8",
    "brain": "M12 5c-3-3-8 0-7 4-3 2-2 7 1 8 0 4 5 4 6 1zM12 5c3-3 8 0 7 4 3 2 2 7-1 8 0 4-5 4-6 1z",
    "bug": "M8 9a4 4 0 0 1 8 0v5a4 4 0 0 1-8 0zM4 8l4 2M20 8l-4 2M4 18l4-2M20 18l-4-2M3 13h5M16 13h5",
    "calendar-clock": "M4 6h16v5M4 6v14h7M4 10h16M8 3v4M16 3v4M17 13a4 4 0 1 0 0 8 4 4 0 0 0 0-8M17 15v2l1 1",
    "check": "M5 12l5 5 9-10",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
    "code": "M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16",
    "database": "M4 6c0-4 16-4 16 0v12c0 4-16 4-16 0zM4 6c0 4 16 4 16 0M4 12c0 4 16 4 16 0",
    "diff": "M5 3h14v18H5zM12 6v6M9 9h6M9 16h6",
    "download": "M12 4v11M7 11l5 5 5-5M5 20h14",
    "eraser": "M4 15L14 5l6 6-9 9H8zM9 10l6 6M8 20h12",
    "file": "M6 3h8l4 4v14H6zM14 3v4h4",
    "file-input": "M8 3h7l4 4v14H8v-4M15 3v4h4M3 12h9M9 9l3 3-3 3",
    "file-output": "M16 21H5V3h7l4 4v2M12 3v4h4M11 14h9M17 11l3 3-3 3",
    "file-plus-2": "M6 3h8l4 4v14H6zM14 3v4h4M12 11v6M9 14h6",
    "file-spreadsheet": "M6 3h8l4 4v14H6zM14 3v4h4M9 11h6v7H9zM9 14h6M12 11v7",
    "file-text": "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
    "file-type": "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M12 12v6",
    "filter": "M4 5h16l-6 8v6l-4-2v-4z",
    "fingerprint": "M5 14c0-11 14-11 14 0v2M8 20c1-2 1-4 1-6 0-4 6-4 6 0 0 3 0 4-1 7M12 14c0 3 0 4-1 7",
    "flag": "M6 21V4h12l-3 4 3 4H6",
    "flask": "M9 3h6M10 3v6l-5 9a2 2 0 0 0 2 3h10a2 2 0 0 0 2-3l-5-9V3M7 15h10",
    "folder-archive": "M3 6h6l2 2h10v12H3zM15 10h.01M17 12h.01M15 14h.01M17 16h.01",
    "folder-search": "M3 19V6h6l2 2h10v4M3 19h8M16 13a3 3 0 1 0 0 6 3 3 0 0 0 0-6M18 18l3 3",
    "form-input": "M3 8h18v8H3zM7 10v4M10 14h4",
    "globe": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c-5 6-5 12 0 18M12 3c5 6 5 12 0 18",
    "layers": "M12 4l9 5-9 5-9-5zM3 14l9 5 9-5",
    "list": "M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01",
    "list-end": "M4 5h16M4 10h16M4 15h7M17 13v7M14 17l3 3 3-3",
    "mail": "M3 6h18v13H3zM3 7l9 7 9-7",
    "merge": "M7 4v4c0 4 5 4 5 8v4M17 4v4c0 4-5 4-5 8M9 17l3 3 3-3",
    "octagon": "M8 3h8l5 5v8l-5 5H8l-5-5V8zM9 9l6 6M15 9l-6 6",
    "package": _BOX,
    "pencil": "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4",
    "play": "M7 4l13 8-13 8z",
    "radio": "M12 12h.01M8 8c-3 2-3 6 0 8M16 8c3 2 3 6 0 8M5 5c-5 4-5 10 0 14M19 5c5 4 5 10 0 14",
    "refresh": "M20 11a8 8 0 0 0-14-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14 4l2-2M20 20v-5h-5",
    "refresh-cw": "M20 11a8 8 0 0 0-14-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14 4l2-2M20 20v-5h-5",
    "repeat": "M4 11V9a3 3 0 0 1 3-3h13M17 3l3 3-3 3M20 13v2a3 3 0 0 1-3 3H4M7 21l-3-3 3-3",
    "route": "M6 4a2 2 0 1 0 0 4 2 2 0 0 0 0-4M18 16a2 2 0 1 0 0 4 2 2 0 0 0 0-4M8 6h7a3 3 0 0 1 0 6H9a3 3 0 0 0 0 6h7",
    "search": "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15 15l5 5",
    "shield": "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM9 12l2 2 4-4",
    "shield-check": "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM9 12l2 2 4-4",
    "sigma": "M18 7V4H6l7 8-7 8h12v-3",
    "split": "M12 20v-6c0-4-6-4-6-8V4M12 14c0-4 6-4 6-8V4M3 7l3-3 3 3M15 7l3-3 3 3",
    "table": "M4 5h16v14H4zM4 10h16M10 5v14",
    "terminal": "M5 7l5 5-5 5M12 17h7",
    "text-cursor-input": "M9 8H3v8h6M15 8h6v8h-6M12 5v14M10 5h4M10 19h4",
    "undo": "M9 5L4 10l5 5M4 10h10a5 5 0 0 1 0 10h-3",
    "ungroup": "M4 4h7v7H4zM13 13h7v7h-7zM15 5l4 4M19 5l-4 4",
    "user-check": "M9 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M3 20c0-7 12-7 12 0M16 10l2 2 4-4",
    "wand": "M4 20L15 9M17 7l-2-2M18 3v4M16 5h4M20 12v4M18 14h4M8 3v4M6 5h4",
    "waypoints": "M12 3a2 2 0 1 0 0 4 2 2 0 0 0 0-4M5 15a2 2 0 1 0 0 4 2 2 0 0 0 0-4M19 15a2 2 0 1 0 0 4 2 2 0 0 0 0-4"
    "M11 7l-5 8M13 7l5 8M7 17h10",
    "webhook": "M12 4a3 3 0 0 0-2 5l-4 7M15 7a3 3 0 0 0-3-3M5 14a2 2 0 1 0 1 4h9M12 8l5 7a2 2 0 1 1-2 3",
    "workflow": "M4 4h6v6H4zM14 14h6v6h-6zM7 10v4a3 3 0 0 0 3 3h4",
}
"""Path data by name."""


def icon(name: str) -> str:
    """The path data of an icon."""
    return ICONS.get(name, _BOX)
