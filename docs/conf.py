"""Sphinx configuration of the documentation: ``./dev docs`` builds it into ``build/docs``, with warnings as errors.

Nothing is fetched, neither when the site is built nor when a page is read: no intersphinx, no font or script from a
CDN, and equations are MathML, which browsers draw themselves.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from page_tables import tables  # noqa: E402
from pygments.lexers.special import TextLexer  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

project = "winprob"
author = "The winprob team"
version = release = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"]

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "mathml",
]
exclude_patterns = ["_ext"]
suppress_warnings: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath", "substitution"]
myst_heading_anchors = 3
myst_substitutions = tables()

#: Pages below each page, in order. Written here and not in the pages, so that these read well as plain Markdown.
CHILDREN = {
    "index": [
        "guide/README",
        "reference/README",
        "evidence/README",
        "Decision records <decisions/README>",
        "licences",
    ],
    "guide/README": [
        "first_model",
        "your_crm",
        "crm_exports",
        "databases",
        "weekly_routine",
        "write_back",
        "quarter",
        "decisions",
        "worksheets",
        "retraining",
        "python",
        "scale",
        "extending-the-model",
    ],
    "reference/README": ["commands", "api", "model", "registry", "retraining", "data", "glossary"],
    "evidence/README": ["*"],
    "decisions/README": ["0*"],
}

autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = f"winprob {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
}
copyright = "The winprob team, Apache-2.0"


def setup(app: Sphinx) -> None:
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", _append_toctree)


def _append_toctree(app: Sphinx, page: str, source: list[str]) -> None:
    if page in CHILDREN:
        source[0] += "\n\n```{toctree}\n:hidden:\n:glob:\n\n" + "\n".join(CHILDREN[page]) + "\n```\n"
