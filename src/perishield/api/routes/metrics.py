"""Figures for Prometheus. Whoever may look at the site may read them: a login's token, or the node's own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from perishield.api.security import Parts, may
from perishield.model.access import Action

router = APIRouter(tags=["system"], dependencies=[Depends(may(Action.SYSTEM_VIEW, everywhere=True))])


@router.get(
    "/metrics",
    summary="Figures in the text formats of Prometheus and OpenMetrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def metrics(parts: Parts, accept: Annotated[str, Header()] = "") -> Response:
    """Name the file `run/token` of the data folder as Prometheus' `credentials_file`; it is renewed every hour."""
    page, media_type = await parts.metrics.page(accept)
    return Response(page, media_type=media_type, headers={"cache-control": "no-store"})
