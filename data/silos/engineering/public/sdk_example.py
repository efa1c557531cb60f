"""Example for colleagues: read the newest level of a site with the Python kit.

Install the kit with: pip install millrace-kit==2.4 --index-url https://pypi.marrowfen.example/simple
"""

import os

SITE = 100042  # Upper Sedge weir in the sandbox
BASE_URL = "https://api.millrace.example/v2"
TIMEOUT_SECONDS = 8


def newest_level(session, site: int = SITE) -> float:
    """Return the newest level in millimetres."""
    token = os.environ["MILLRACE_TOKEN"]
    answer = session.get(
        f"{BASE_URL}/sites/{site}/newest",
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    return float(answer.json()["level_mm"])
