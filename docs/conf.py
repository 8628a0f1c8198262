"""Sphinx's settings: `sphinx-build -W docs build/site`."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from c4ml_xdsl import __version__  # noqa: E402 - found by the path above

project = "c4ml-xdsl"
release = version = __version__
language = "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "c4ml_reference"]
exclude_patterns = ["c4ml_reference", "**/__pycache__"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

smartquotes = False  # texts of the code are shown as they are
nitpicky = True
# Types of Python and of libraries, whose documentation the build doesn't fetch, and aliases of ours that have no page.
nitpick_ignore_regex = [("py:.*", r"(?!c4ml_xdsl\.).*"), ("py:.*", r"c4ml_xdsl\.(?!circuit\.Circuit$).*")]

html_theme = "furo"
html_title = "c4ml-xdsl"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
pygments_style = "friendly"
pygments_dark_style = "monokai"
linkcheck_anchors = False
