"""The templates, and the page that they make of what is shown."""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from c4ml_xdsl.report_page.contents import contents_of
from c4ml_xdsl.report_page.wording import count, nanoseconds, printable


def render(report: Mapping[str, Any], ports: Mapping[str, Any]) -> str:
    """
    The page, from report.json and ports.json alone.

    Raises KeyError, TypeError or ValueError where they aren't what the schemas say.
    """
    # as the files give it back: a number that only Python tells apart must not make another page
    report, ports = json.loads(json.dumps(report)), json.loads(json.dumps(ports))
    environment = _environment()
    return environment.get_template("page.html").render(
        page=contents_of(report, ports), script=_text("page.js"), script_hash=_hash(_text("page.js"))
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("c4ml_xdsl.report_page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=_finalized,
    )
    environment.filters.update(count=count, nanoseconds=nanoseconds)
    return environment


def _finalized(value: Any) -> Any:
    """What a template prints: names come from models, and must not control how they are shown."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _text(name: str) -> Markup:
    """A file of ours that is part of the page as it is."""
    environment = _environment()
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _hash(script: str) -> str:
    """What the page's policy lets run: this script and no other."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
