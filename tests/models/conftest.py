"""The tiny models that several files here ask: each is taught once a run."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def electra_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models import tiny

    return tiny.electra(tmp_path_factory.mktemp("hub") / "electra")


@pytest.fixture(scope="session")
def bart_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models import tiny

    return tiny.bart(tmp_path_factory.mktemp("hub") / "bart")


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models import tiny

    return tiny.encoder(tmp_path_factory.mktemp("hub") / "encoder")
