"""Counters for Prometheus. Labels carry deployment ids, never names or projects: the page is open."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Totals since the start of this process."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._ttft: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))
        self._ttft_sum: Counter[str] = Counter()

    def count(self, record: dict[str, Any]) -> None:
        """One line of the ledger."""
        deployment = record["deployment"]
        self._requests[deployment, record["status"]] += 1
        for kind in ("prompt", "cached", "completion"):
            self._tokens[deployment, kind] += record[f"{kind}_tokens"]
        if record["ttft_ms"] is not None:
            seconds = record["ttft_ms"] / 1000
            self._ttft[deployment][bisect_left(BUCKETS_S, seconds)] += 1
            self._ttft_sum[deployment] += seconds  # type: ignore[assignment]

    def text(self, gauges: Mapping[str, float]) -> str:
        """The exposition format, version 0.0.4."""
        lines = []
        for name, value in {"in_flight": self.in_flight, **gauges}.items():
            lines += [f"# TYPE aifs_gateway_{name} gauge", f"aifs_gateway_{name} {value}"]
        lines.append("# TYPE aifs_gateway_requests_total counter")
        for (deployment, status), count in sorted(self._requests.items()):
            lines.append(f'aifs_gateway_requests_total{{deployment="{deployment}",status="{status}"}} {count}')
        lines.append("# TYPE aifs_gateway_tokens_total counter")
        for (deployment, kind), count in sorted(self._tokens.items()):
            lines.append(f'aifs_gateway_tokens_total{{deployment="{deployment}",kind="{kind}"}} {count}')
        lines.append("# TYPE aifs_gateway_ttft_seconds histogram")
        for deployment, counts in sorted(self._ttft.items()):
            lines += _histogram(deployment, counts, self._ttft_sum[deployment])
        return "\n".join(lines) + "\n"


def _histogram(deployment: str, counts: list[int], total_s: float) -> list[str]:
    name, lines, sum_so_far = "aifs_gateway_ttft_seconds", [], 0
    for bound, count in zip([*map(str, BUCKETS_S), "+Inf"], counts, strict=True):
        sum_so_far += count
        lines.append(f'{name}_bucket{{deployment="{deployment}",le="{bound}"}} {sum_so_far}')
    lines.append(f'{name}_sum{{deployment="{deployment}"}} {total_s:.6f}')
    lines.append(f'{name}_count{{deployment="{deployment}"}} {sum_so_far}')
    return lines
