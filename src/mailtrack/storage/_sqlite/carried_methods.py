"""`CarriedMethods`: the methods of `Carries` and `CarriesPlaces`, for copies of a storage."""

from collections.abc import Collection

from mailtrack.storage._sqlite.connections import Connections


class CarriedMethods:
    """The part of a storage that is about copies of it."""

    _connections: Connections

    def list_erased(self, pixel_id: str) -> list[int]:
        with self._connections.reading() as db:
            found = db.execute(
                "SELECT digest FROM erased WHERE pixel = (SELECT pixel FROM pixels WHERE id = ?) ORDER BY digest",
                (pixel_id,),
            )
            return [digest for (digest,) in found]

    def add_erased(self, pixel_id: str, digests: Collection[int]) -> None:
        with self._connections.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO erased SELECT pixel, ? FROM pixels WHERE id = ?",
                [(digest, pixel_id) for digest in digests],
            )

    def list_readers(self) -> dict[str, str]:
        with self._connections.reading() as db:
            return {
                str(name): str(after) for name, after in db.execute("SELECT name, after FROM readers ORDER BY name")
            }

    def shows_all_events(self) -> bool:
        return True
