"""Webhooks, for admins."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status

from app.auth.deps import AdminDep
from app.idempotency.decorator import idempotent
from app.web.deps import AfterId, Limit, link_next
from app.web.fields import LARGEST_ID
from app.web.problems import problems
from app.webhooks import service as webhooks_service
from app.webhooks.address_guard import Addresses
from app.webhooks.schemas import DeliveryOut, DeliveryStateIn, WebhookIn, WebhookOut, WebhookSecretOut


async def get_addresses(request: Request) -> Addresses:
    """Return where webhooks may point to."""
    addresses: Addresses = request.app.state.addresses
    return addresses


AddressesDep = Annotated[Addresses, Depends(get_addresses)]
router = APIRouter(prefix="/webhooks", tags=["webhooks"])
WebhookId = Annotated[int, Path(alias="webhookId", ge=1, le=LARGEST_ID, description="The webhook's id.", examples=[1])]
DeliveryId = Annotated[
    int, Path(alias="deliveryId", ge=1, le=LARGEST_ID, description="The delivery's id.", examples=[1])
]


@router.get("", operation_id="list_webhooks", summary="List webhooks", responses=problems(401, 403, 422, 503))
async def list_webhooks(
    request: Request, response: Response, _: AdminDep, after: AfterId = None, limit: Limit = 100
) -> list[WebhookOut]:
    """Return webhooks by id, without their secrets."""
    rows = await webhooks_service.list_webhooks(after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1].id)
    return [WebhookOut.model_validate(row) for row in rows]


@router.post(
    "",
    operation_id="create_webhook",
    summary="Push events to a URL",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 413, 422, 503),
)
async def create_webhook(body: WebhookIn, caller: AdminDep, addresses: AddressesDep) -> WebhookSecretOut:
    """
    Push every durable event from now on, as `GET /events` shows it, to a URL; the secret is shown this once.

    A delivery is a POST signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`, `webhook-signature`), and
    made when it is answered 2xx within 10 s. Otherwise it is tried again for three days, then it is dead. Events of a
    client come in order; one may come twice, under the same `webhook-id`.
    """
    webhook = await webhooks_service.create_webhook(body.url, kinds=body.kinds, addresses=addresses, caller=caller)
    return WebhookSecretOut.model_validate(webhook)


@router.delete(
    "/{webhookId}",
    operation_id="delete_webhook",
    summary="Delete a webhook",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def delete_webhook(webhook_id: WebhookId, caller: AdminDep) -> None:
    """Delete a webhook with its deliveries, also those that are pending."""
    await webhooks_service.delete_webhook(webhook_id, caller=caller)


@router.post(
    "/{webhookId}/rotate",
    operation_id="rotate_webhook_secret",
    summary="Give a webhook a new secret",
    responses=problems(401, 403, 404, 422, 503),
)
async def rotate_webhook_secret(webhook_id: WebhookId, caller: AdminDep) -> WebhookSecretOut:
    """Return a new secret, shown this once; the one before it signs deliveries too for 24 hours."""
    return WebhookSecretOut.model_validate(await webhooks_service.rotate_secret(webhook_id, caller=caller))


@router.get(
    "/{webhookId}/deliveries",
    operation_id="list_webhook_deliveries",
    summary="List a webhook's deliveries",
    responses=problems(401, 403, 404, 422, 503),
)
async def list_webhook_deliveries(
    request: Request,
    response: Response,
    webhook_id: WebhookId,
    _: AdminDep,
    state: Annotated[DeliveryStateIn | None, Query(description="`dead` is what was given up.")] = None,
    after: AfterId = None,
    limit: Limit = 100,
) -> list[DeliveryOut]:
    """Return what became of each event, by the id of its delivery; kept as long as the event, 30 days."""
    rows = await webhooks_service.list_deliveries(webhook_id, state=state, after=after, limit=limit)
    if len(rows) == limit:
        link_next(request, response, after=rows[-1].id)
    return [DeliveryOut.model_validate(row) for row in rows]


@router.post(
    "/{webhookId}/deliveries/{deliveryId}/redeliver",
    operation_id="redeliver_webhook_delivery",
    summary="Deliver once more",
    responses=problems(401, 403, 404, 409, 422, 503),
)
@idempotent
async def redeliver_webhook_delivery(webhook_id: WebhookId, delivery_id: DeliveryId, caller: AdminDep) -> DeliveryOut:
    """Try it again, at once and for three days, whatever became of it; its `webhook-id` is the same."""
    delivery = await webhooks_service.redeliver(webhook_id, delivery_id, caller=caller)
    return DeliveryOut.model_validate(delivery)
