"""
`report.html`: report.json and ports.json as one page that needs nothing else.

`contents` gathers what is shown, `network` and `layered_drawing` place the graph, `schedule` and `waste` have one
section each, `wording` writes numbers, and `page` fills the templates. The page is a function of the two files alone,
without the times in them.
"""

from c4ml_xdsl.report_page.page import render

__all__ = ["render"]
