"""Sphinx configuration of the documentation site."""

from typing import Any

import reportflow_pandas

project = "reportflow-pandas"
author = "the reportflow-pandas authors"
version = release = reportflow_pandas.__version__
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
]
nb_execution_mode = "off"
nb_output_stderr = "remove"
nb_ipywidgets_js: dict[str, object] = {}  # they would be loaded from elsewhere
autosummary_generate = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
exclude_patterns = ["_build"]
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]
html_theme = "pydata_sphinx_theme"
html_title = "reportflow-pandas"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "show_prev_next": False,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "search_bar_text": "Search",
    "show_toc_level": 2,
}
# pages without neighbours have no sidebar of them
html_sidebars: dict[str, list[str]] = {
    "index": [],
    "first_hour": [],
    "vendor": [],
    "ja/index": [],
}
html_context = {"default_mode": "auto"}
html_show_sourcelink = False


def _language(
    _app: object,
    page: str,
    _template: str,
    context: dict[str, object],
    _doctree: object,
) -> None:
    """Name a page's language: browsers choose the shapes of letters by it."""
    if page.startswith("ja/"):
        context["language"] = "ja"


def setup(app: Any) -> None:
    """Extend Sphinx."""
    app.connect("html-page-context", _language)
