"""Past situations in a Qdrant collection, kept by its client in local mode: no server, a folder or memory.

Invariant: nothing is here that PostgreSQL does not have; the collection is made anew at every start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

_COLLECTION = "situations"


@dataclass(frozen=True, slots=True)
class Neighbour:
    event_id: str
    similarity: float
    """Cosine of the angle between the two: 1 is the same shape, -1 the opposite."""


class QdrantIndex:
    """Calls block for milliseconds: run them in a thread, one at a time.

    The client is imported when the index is opened: it takes a second, which a restart need not wait for.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._client: QdrantClient | None = None

    def begin(self, size: int) -> None:
        """Open, and empty. Raises RuntimeError where another process has the folder."""
        from qdrant_client import QdrantClient
        from qdrant_client.models import Distance, VectorParams

        self._client = QdrantClient(location=":memory:") if self._path is None else QdrantClient(path=str(self._path))
        self._client.delete_collection(_COLLECTION)
        self._client.create_collection(_COLLECTION, VectorParams(size=size, distance=Distance.COSINE))

    def add(self, event_id: str, strategy: str, vector: Sequence[float]) -> None:
        from qdrant_client.models import PointStruct

        point = PointStruct(id=str(UUID(hex=event_id)), vector=list(vector), payload={"strategy": strategy})
        self._open.upsert(_COLLECTION, [point])

    def nearest(self, strategy: str, vector: Sequence[float], limit: int, but: str) -> list[Neighbour]:
        """The most similar situations of a strategy first, ``but`` left out."""
        from qdrant_client.models import FieldCondition, Filter, MatchValue

        mine = Filter(must=[FieldCondition(key="strategy", match=MatchValue(value=strategy))])
        found = self._open.query_points(_COLLECTION, query=list(vector), query_filter=mine, limit=limit + 1).points
        rows = [Neighbour(UUID(str(point.id)).hex, point.score) for point in found]
        return [row for row in rows if row.event_id != but][:limit]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def _open(self) -> QdrantClient:
        if self._client is None:
            raise RuntimeError("the index is not open")
        return self._client
