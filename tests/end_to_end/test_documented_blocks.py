"""
Every block of code in the README and the docs: Python and our commands run, in their order and in one folder a page.

What takes minutes (benchmarks, the test run itself) is parsed by its own command line; what installs is looked up.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks.__main__
import c4ml_xdsl as c4ml

REPOSITORY = Path(__file__).parent.parent.parent
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs").rglob("*.md")),
]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
NEEDED = ("verilator", "iverilog", "g++", "make")


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each block of a page that has a language, also of those within lists."""
    found = re.finditer(r"^( *)```(\w+)\n(.*?)^\1```$", (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL)
    return [(each[2], textwrap.dedent(each[3])) for each in found]


def run_command(command: str, folder: Path) -> None:
    """Runs a line of a shell block, or checks what would run for minutes or change the machine."""
    words = shlex.split(command, comments=True)
    match words:
        case []:
            pass
        case ["make", "-C", "examples/digits/build"]:
            assert (REPOSITORY / "examples/digits/run.py").is_file()  # tests/end_to_end/test_example.py runs both
        case ["c4ml" | "c4ml-opt" | "make", *_]:
            places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
            done = subprocess.run(
                words, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": places}
            )
            assert done.returncode == 0, f"{command}: {done.stdout[-500:]} {done.stderr[-500:]}"
        case ["python", "-m", "benchmarks", name, *arguments]:
            (folder / "results.json").touch()
            benchmarks.__main__.main.commands[name].make_context(name, [*arguments]).close()
        case ["sphinx-build", *_, source, _]:
            assert (REPOSITORY / source / "conf.py").is_file()  # tests/end_to_end/test_site.py builds it
        case ["python", script, *_] if script != "-m":
            assert (REPOSITORY / script).is_file()
        case ["pip", "install", what]:
            extras = re.search(r"\[(.*)\]", what)
            names = extras.group(1).split(",") if extras else []
            assert set(names) <= set(PROJECT["optional-dependencies"])
        case [script] if script.startswith("./"):
            assert os.access(REPOSITORY / script, os.X_OK)
        case _:
            pytest.fail(f"{command}: no rule says what to do with it")


@pytest.mark.skipif(any(shutil.which(tool) is None for tool in NEEDED), reason=f"needs {', '.join(NEEDED)}")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = REPOSITORY / "tests" / "models" / "cnn1d_pot" / "model.onnx"
    shutil.copy(model, tmp_path / "model.onnx")
    shutil.copytree(REPOSITORY / "examples" / "digits", tmp_path / "examples" / "digits")
    port = c4ml.compile(model, effort="fast", verify=False).ports[0]
    x = port.values(port.random(3, np.random.default_rng(0)))
    np.save(tmp_path / "x.npy", x)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    names: dict[str, Any] = {"x": x}
    for language, text in blocks(page):
        if language == "sh":
            for line in text.splitlines():
                run_command(line, tmp_path)
        elif language == "python":
            exec(compile(text, page, "exec"), names)  # what a page shows, as its readers would run it
        elif language == "toml":
            tomllib.loads(text)
        else:
            pytest.fail(f"{page}: no rule for blocks of {language}")
    if page == "README.md":
        y = c4ml.compile(model, effort="fast")(x)
        assert np.array_equal(names["y"], y)
        assert np.array_equal(np.load("y.npy"), y)


def anchors(page: str) -> set[str]:
    """What a page's headings are called in links, as GitHub makes it of their words."""
    text = re.sub(r"^( *)```.*?^\1```$", "", (REPOSITORY / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    """Files and anchors as GitHub has them; those of what is generated are looked for in the site."""
    for page in PAGES:
        folder = (REPOSITORY / page).parent
        for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", (REPOSITORY / page).read_text()):
            if link.startswith(("http://", "https://")):
                continue
            target = folder.joinpath(link) if link else REPOSITORY / page
            assert target.exists(), f"{page}: {link}"
            if anchor and not page.startswith("docs/reference/") and "/reference/" not in link:
                assert anchor in anchors(target.resolve().relative_to(REPOSITORY).as_posix()), (
                    f"{page}: {link}#{anchor}"
                )
