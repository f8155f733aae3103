"""The broker that needs no server: kombu's SQLAlchemy transport on an SQLite file of its own.

Plain ``sqla+sqlite`` keeps every message for ever and polls once a second; the filesystem transport loses messages
when two workers read one file. See docs/adr/0002-embedded-broker.md.
"""

from queue import Empty
from typing import Any

from kombu.transport.sqlalchemy import Channel as SqlChannel
from kombu.transport.sqlalchemy import Transport as SqlTransport
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from sqlalchemy import event, text

POLL_SECONDS = 0.2


class Channel(SqlChannel):
    """A channel whose messages leave the table when they are taken."""

    def _engine_from_config(self) -> Any:
        engine = super()._engine_from_config()

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

        return engine

    def _get(self, queue: str, timeout: Any = None) -> Any:
        """Take the oldest message and delete its row."""
        table, queue_id = self.message_tablename, self._get_or_create(queue).id
        take = text(
            f"DELETE FROM {table} WHERE id = (SELECT min(id) FROM {table} WHERE queue_id = :q) RETURNING payload"  # noqa: S608
        )
        try:
            row = self.session.execute(take, {"q": queue_id}).first()
            self.session.commit()
        except BaseException:
            self.session.rollback()
            raise
        if row is None:
            raise Empty
        return loads(bytes_to_str(row.payload))


class Transport(SqlTransport):
    """``embedded+sqlite:///path``: for one machine, no priorities, no remote control."""

    Channel = Channel
    # A class attribute: as a transport option of that name it would be handed on to create_engine.
    polling_interval = POLL_SECONDS
