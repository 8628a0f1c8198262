"""Which files a wheel and a source archive must have, and which they mustn't."""

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).parent.parent.parent
NEVER = ("__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis", ".venv", "build", "dist", ".git")
"""Folders that belong to nobody else."""
SOURCES = ("CMakeLists.txt", "pyproject.toml", "LICENSE", "README.md")


def package_files(*, compiled_sources: bool) -> set[str]:
    """The package's files in the checkout; with the C++ that a wheel has compiled, or without."""
    left_out = {".so", ".pyd", ".dylib", *(() if compiled_sources else (".cpp", ".hpp"))}
    return {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "c4ml_xdsl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in left_out
    }


def wheel_names(path: Path) -> list[str]:
    """The files of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def sdist_names(path: Path) -> list[str]:
    """The files of a source archive, without its one folder."""
    with tarfile.open(path) as archive:
        return [each.name.split("/", 1)[1] for each in archive.getmembers() if not each.isdir()]


def wrong_in_wheel(names: Iterable[str], extensions: bool) -> list[str]:
    """What is missing or too much; `extensions` are the compiled parts, which a wheel without CMake hasn't got."""
    found = set(names)
    wrong = [f"missing: {name}" for name in sorted(package_files(compiled_sources=False) - found)]
    for name in sorted(found):
        first, suffix = name.split("/", 1)[0], PurePosixPath(name).suffix
        if first != "c4ml_xdsl" and not first.endswith(".dist-info"):
            wrong.append(f"outside the package: {name}")
        elif suffix in (".cpp", ".hpp") or set(PurePosixPath(name).parts) & set(NEVER):
            wrong.append(f"too much: {name}")
    compiled = [name for name in found if PurePosixPath(name).suffix in (".so", ".pyd")]
    if len(compiled) != (2 if extensions else 0):
        wrong.append(f"compiled parts: {compiled}")
    return wrong


def wrong_in_sdist(names: Iterable[str]) -> list[str]:
    """What is missing or too much: it must have all that a build takes, and nothing that was built."""
    found = set(names)
    needed = package_files(compiled_sources=True) | set(SOURCES)
    wrong = [f"missing: {name}" for name in sorted(needed - found)]
    for name in sorted(found):
        path = PurePosixPath(name)
        if set(path.parts) & set(NEVER) or path.suffix in (".so", ".pyd", ".pyc", ".o", ".whl"):
            wrong.append(f"too much: {name}")
    return wrong
