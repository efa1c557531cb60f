"""Shared by all tests. The network is blocked (pytest-socket); loopback and Unix sockets are not."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no counterexample: time is no property here, unless a test measures it.
settings.register_profile("sworn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sworn")

# Libraries that phone home, or ask a hub, read these before their first import.
os.environ.update(
    {
        "DO_NOT_TRACK": "1",
        "SCARF_NO_ANALYTICS": "true",
        "ANONYMIZED_TELEMETRY": "False",
        "HF_HUB_OFFLINE": "1",
    }
)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """One export of the embedding model for all tests, and for later runs of them."""
    cache = Path(os.environ.get("SWORN_TEST_MODELS") or ROOT / "build" / "models")
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, model_cache: Path) -> None:
    """No setting of whoever runs the tests leaks in; children export no model of their own."""
    for name in list(os.environ):
        if name.startswith("SWORN_") and name not in ("SWORN_DATASETS", "SWORN_TEST_MODELS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SWORN__EMBEDDER__CACHE_DIR", str(model_cache))
