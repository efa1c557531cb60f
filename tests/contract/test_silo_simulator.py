"""The simulated silo keeps the connector's contract, so what is tested on it holds for real ones."""

from collections.abc import Sequence

import pytest

from rag.domain.ids import SiloId
from rag.testing.conformance import CHECKS, Check
from rag.testing.simulator import SiloSimulator


class SimulatorHarness:
    """Edits the simulator."""

    def __init__(self) -> None:
        self.connector = SiloSimulator(silo=SiloId("simulated"))

    @property
    def hostile_keys(self) -> Sequence[str]:
        return ("line\nbreak", "é", "e\u0301", "*/[a]/?", "\U0010ffff", "a b/c%20d")

    async def write(self, key: str, data: bytes) -> None:
        self.connector.write(key, data)

    async def rename(self, key: str, to: str) -> None:
        self.connector.rename(key, to)

    async def remove(self, key: str) -> None:
        self.connector.remove(key)

    async def make_partial(self, key: str) -> None:
        self.connector.unlisted.add(key.rpartition("/")[0])

    async def make_whole(self) -> None:
        self.connector.unlisted.clear()

    async def vanish(self) -> None:
        self.connector.reachable = False

    async def return_back(self) -> None:
        self.connector.reachable = True


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance_of_the_simulator(check: Check) -> None:
    await check(SimulatorHarness())
