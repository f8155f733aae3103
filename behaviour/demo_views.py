"""Pages of the demo shop: remove it, and where a click on one of its products leads."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from behaviour import demo, tasks
from behaviour.models import Event, Product, Shop, Shopper
from mailai.accounts.roles import ADMIN, public, require_role


@require_role(ADMIN)
def remove_demo(request: HttpRequest) -> HttpResponse:
    """Say what would be lost, and remove the demo shop when that is confirmed."""
    if not demo.has_demo():
        messages.info(request, _("There is no demo data to remove."))
        return redirect("/")
    if request.method == "POST":
        tasks.remove_demo.delay_on_commit(request.user.pk)
        messages.success(request, _("The demo data are being removed. This takes about a minute."))
        return redirect("/")
    losses = {
        "shoppers": Shopper.objects.filter(demo=True).count(),
        "products": Product.objects.filter(demo=True).count(),
        "events": Event.objects.filter(shopper__demo=True).count(),
        "real_shoppers": Shopper.objects.filter(demo=False).count(),
    }
    return render(request, "behaviour/demo_remove.html", {"nav": "data", **losses})


@public
def product(request: HttpRequest, sku: str) -> HttpResponse:
    """Show where a link of a mail leads; only products of the demo shop have such a page."""
    found = get_object_or_404(Product, sku=sku, demo=True)
    return render(request, "behaviour/demo_product.html", {"product": found, "demo_shop": Shop.current()})
