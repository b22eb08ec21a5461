"""Margin of clients for many requests: those that wait at the same moment share one statement and one report."""

from collections.abc import Collection, Mapping
from typing import Any

from app.engine.margin import margin_report
from app.engine.rules import MarginRules
from app.errors import AppError
from app.services.access import Caller, no_client
from app.services.book import load_clients
from app.services.margin import MarginStatus, status_of
from app.services.shared_reads import SharedReads


class MarginReads:
    """Where the requests of this process wait for margin."""

    def __init__(self, *, rules: MarginRules, base_currency: str, seconds: float) -> None:
        """Keep what every answer depends on; a statement that takes longer than `seconds` fails."""
        self._rules = rules
        self._base_currency = base_currency
        self._reads = SharedReads(self._load, seconds=seconds)

    async def status(self, client_id: int, *, caller: Caller) -> MarginStatus:
        """
        Return a client's margin at the stored prices.

        Raises:
            NotFoundError: there is no such client, or the caller may not see it.
            MissingPricesError: a position has no price, or its currency no rate; `symbols` names them.
            ConflictError: the account is too large for exact figures.
        """
        caller.check_client(client_id)
        return await self._reads.read(client_id)

    async def _load(self, connection: Any, ids: Collection[int]) -> Mapping[int, MarginStatus | Exception]:  # noqa: ANN401
        """Return the margin of each client, or why there is none."""
        holdings = await load_clients(connection, ids, base_currency=self._base_currency)
        report = margin_report(holdings.book, holdings.prices, holdings.instruments, self._rules)
        answers: dict[int, MarginStatus | Exception] = {client_id: no_client(client_id) for client_id in ids}
        for row, client_id in enumerate(holdings.book.client_ids.tolist()):
            try:
                answers[client_id] = status_of(holdings, report, row, base_currency=self._base_currency)
            except AppError as error:
                answers[client_id] = error
        return answers
