"""How Sphinx builds the site from these pages; docs/build.py runs it, for both languages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "tinygrad_rnn"
author = "the tinygrad_rnn developers"
project_copyright = author
language = os.environ.get("TINYGRAD_RNN_LANGUAGE", "en")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx-mathjax-offline", "make_pages"]
quick = "TINYGRAD_RNN_QUICK" in os.environ
exclude_patterns = ["_build", "locale", "explainer", "README.md"]
# Links to files beside the site lead somewhere in the repository alone; the tests check them.
suppress_warnings = ["myst.xref_missing", *(["myst-nb.lexer"] if quick else [])]
default_role = "literal"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
# What a page's code prints and draws is in the page's language, so each has a cache of its own.
nb_execution_cache_path = str(Path(__file__).parent / "_build" / f"executed-{language}")
nb_execution_excludepatterns = ["examples/*"] if quick else []
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # seconds a cell
nb_merge_streams = True
locale_dirs = ["locale"]
gettext_compact = False

html_theme = "pydata_sphinx_theme"
html_title = "tinygrad_rnn"
html_show_sourcelink = False
html_copy_source = False
templates_path = ["site"]
html_context = {"other_language": "ko" if language == "en" else "en"}
html_static_path = ["site"]
html_css_files = ["site.css"]
html_theme_options = {
    "navbar_end": ["language", "theme-switcher"],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
}
