"""What one question may cost, and what it has cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What language models have used: calls, tokens, and money in the settings' currency."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            calls=self.calls + other.calls,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            cost=self.cost + other.cost,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left for one question; None is no limit of that kind."""

    seconds: float
    tokens: int | None = None
    cost: float | None = None

    def shared(self, n: int) -> "Allowance":
        """The share of each of `n` that work at the same time; they have the same time."""
        return Allowance(
            seconds=self.seconds,
            tokens=None if self.tokens is None else self.tokens // n,
            cost=None if self.cost is None else self.cost / n,
        )

    def less(self, usage: Usage, elapsed_s: float) -> "Allowance":
        """What is left after `usage` and `elapsed_s`; never below nothing."""
        return Allowance(
            seconds=max(0.0, self.seconds - elapsed_s),
            tokens=None if self.tokens is None else max(0, self.tokens - usage.tokens),
            cost=None if self.cost is None else max(0.0, self.cost - usage.cost),
        )
