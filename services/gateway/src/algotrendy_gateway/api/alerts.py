"""Alerts, and the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Query

from algotrendy_gateway.api.parameters import Limit
from algotrendy_gateway.domain.alerts import Alert, AuditEntry
from algotrendy_gateway.store.alerts import Alerts
from algotrendy_gateway.store.audit import AuditTrail


def alert_routes(kept: Alerts, trail: AuditTrail) -> APIRouter:
    routes = APIRouter(tags=["operations"])

    @routes.get("/alerts")
    async def alerts(limit: Limit = 200) -> list[Alert]:
        """Newest first."""
        return await kept.newest(limit)

    @routes.get("/audit")
    async def audit(
        limit: Limit = 200, before: Annotated[int | None, Query(ge=1, le=2**62, description="Only lines before")] = None
    ) -> list[AuditEntry]:
        """Newest first."""
        return await trail.newest(limit, before)

    return routes
