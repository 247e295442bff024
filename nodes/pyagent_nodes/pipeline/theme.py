"""The look of generated pages: one inline style sheet, light and dark, no scripts and no requests."""

from __future__ import annotations

from html import escape

STYLE = """
:root{--bg:#fff;--fg:#1b1f24;--muted:#656d76;--soft:#f5f7f9;--line:#dfe3e8;--accent:#2563eb;--good:#15803d;--bad:#b91c1c;
--warn:#b45309;--add:#e6f6ea;--del:#fdeaea;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--muted:#98a2ad;--soft:#1d2127;--line:#30363d;
--accent:#6ea0ff;--good:#4ade80;--bad:#f87171;--warn:#fbbf24;--add:#12301c;--del:#3a1a1c}}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:68rem;margin:0 auto;padding:2.5rem 1.25rem 5rem}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.25rem;margin:2.6rem 0 .8rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.4rem 0 .5rem}a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.lead{color:var(--muted);margin:0 0 1.4rem}code,pre{font-family:var(--mono);font-size:.9em}
pre{background:var(--soft);padding:.75rem 1rem;border-radius:8px;overflow-x:auto;line-height:1.45}
pre.text{font-family:inherit;font-size:1em;background:none;padding:0;white-space:pre-wrap}
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;padding:.4rem .6rem;vertical-align:top;
border-bottom:1px solid var(--line)}
th{color:var(--muted);font-weight:600}
.n{text-align:right;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}details{margin:.6rem 0}summary{cursor:pointer;color:var(--accent)}
"""


def page(title: str, body: str, *, style: str = "") -> str:
    """A whole HTML page. `body` is HTML; everything from outside in it must be escaped already."""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        # The page holds texts of a repository that nobody has vouched for: no script runs, nothing is loaded.
        "<meta http-equiv=Content-Security-Policy "
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body><main>{body}</main></body></html>\n"
    )
