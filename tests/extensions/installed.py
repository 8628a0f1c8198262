"""A package as an installer would leave it, from its pyproject.toml: without a build, so that tests need no network."""

import tomllib
from pathlib import Path


def install(project: Path, folder: Path) -> Path:
    """Makes a pure-Python project's metadata and a link to its package in `folder`, which is to be on Python's path."""
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    name, version = described["name"], described["version"]
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines: list[str] = []
    for group, entries in described["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for package in project.iterdir():
        if (package / "__init__.py").exists():
            (folder / package.name).symlink_to(package.resolve(), target_is_directory=True)
    return folder
