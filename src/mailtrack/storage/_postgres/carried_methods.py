"""`CarriedMethods`: the methods of `Carries` and `CarriesPlaces`, for copies of a storage."""

from collections.abc import Collection

from mailtrack.storage._postgres import feed_rows
from mailtrack.storage._postgres.connections import Connection, Connections


class CarriedMethods:
    """The part of a storage that is about copies of it."""

    _connections: Connections

    def list_erased(self, pixel_id: str) -> list[int]:
        with self._connections.reading() as db:
            found = db.execute(
                "SELECT digest FROM erased WHERE pixel = (SELECT pixel FROM pixels WHERE id = %s) ORDER BY digest",
                (pixel_id,),
            )
            return [digest for (digest,) in found]

    def add_erased(self, pixel_id: str, digests: Collection[int]) -> None:
        def add(db: Connection) -> None:
            db.execute(
                "INSERT INTO erased SELECT p.pixel, d FROM pixels p, unnest(%s::bigint[]) d WHERE p.id = %s"
                " ON CONFLICT DO NOTHING",
                (list(digests), pixel_id),
            )

        self._connections.write(add)

    def list_readers(self) -> dict[str, str]:
        with self._connections.reading() as db:
            return {
                str(name): str(after) for name, after in db.execute("SELECT name, after FROM readers ORDER BY name")
            }

    def shows_all_events(self) -> bool:
        with self._connections.reading() as db:
            found = db.execute(f"SELECT 1 FROM feed WHERE place >= {feed_rows.END} LIMIT 1").fetchone()
            return found is None
