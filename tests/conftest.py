"""
Where tests find models: `$C4ML_MODELS`, else `../shared/models` beside the repository, else they are skipped.

Property tests draw new examples in every run, but the same ones in continuous integration (`CI`), whose verdict must
depend on the change alone.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

REPOSITORY = Path(__file__).parent.parent


def models_folder() -> Path | None:
    """The folder of real models, None where there is none."""
    candidates = [Path(p) for p in [os.environ.get("C4ML_MODELS")] if p] + [REPOSITORY.parent / "shared" / "models"]
    return next((path for path in candidates if path.is_dir()), None)


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of real models."""
    folder = models_folder()
    if folder is None:
        pytest.skip("no models: set C4ML_MODELS")
    return folder
