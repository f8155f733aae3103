"""The addresses in mails. They answer whatever happens, and lead only where their campaign leads."""

from base64 import b64decode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from behaviour.models import Product, Shop
from campaigns import addresses, tracking
from campaigns.models import Message, TrackedLink
from mailai.accounts.roles import public

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def _note(request: HttpRequest, kind: str, message: UUID, number: int = 0) -> None:
    """Remember a GET; a HEAD is a look by a program and leaves no trace."""
    if request.method == "GET":
        purpose = request.headers.get("Sec-Purpose") or request.headers.get("X-Purpose") or ""
        agent = request.headers.get("User-Agent", "")
        tracking.note(kind, message, number=number, user_agent=agent, purpose=purpose)


@public
@never_cache
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """Answer with a picture of one transparent point, recorded or not."""
    found = addresses.read(addresses.OPEN, token)
    if found:
        _note(request, tracking.OPEN, found[0])
    return HttpResponse(PIXEL, content_type="image/gif")


@public
@never_cache
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Lead to the link of the mail; whoever comes with anything else sees a neutral page."""
    found = addresses.read(addresses.CLICK, token)
    target = _target(*found) if found else ""
    if not found or not target:
        return render(request, "campaigns/public/gone.html", {"public_shop": Shop.current()}, status=404)
    _note(request, tracking.CLICK, *found)
    return HttpResponseRedirect(target)


def _target(uuid: UUID, number: int) -> str:
    """Return where a link leads: an address of the campaign, or the product in this shopper's pick slot."""
    message = Message.objects.filter(uuid=uuid).only("campaign_id", "picks").first()
    if message is None:
        return ""
    link = TrackedLink.objects.filter(campaign_id=message.campaign_id, number=number).first()
    if link is None:
        return ""
    product_id = tracking.product_of(message, link)
    if product_id is None:
        return link.url
    product = Product.objects.filter(pk=product_id).only("url").first()
    return (product.url if product else "") or Shop.current().url


@public
@csrf_exempt  # RFC 8058: the mail program posts without cookie and token
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button and changes nothing, since scanners follow links; POST takes effect at once."""
    found = addresses.read(addresses.UNSUBSCRIBE, token)
    context = {"public_shop": Shop.current(), "known": bool(found), "done": False}
    if request.method == "POST" and found:
        context["done"] = context["known"] = tracking.unsubscribe(found[0])
    return render(request, "campaigns/public/unsubscribe.html", context, status=200 if context["known"] else 404)
