"""The products page and the page of one product."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from behaviour import catalogue, catalogue_pages, pictures
from behaviour.catalogue_forms import SHOW, ProductFilterForm
from behaviour.models import Product, Shop
from mailai.accounts.roles import ADMIN, MANAGER, MARKETER, has_role, require_role
from mailai.ui.tables import paginate

READERS = (MARKETER, MANAGER, ADMIN)
PICTURE_AGE = 86_400
# One transparent point, where a picture is gone since it was looked at.
POINT = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00"
    b"\x01\x00\x00\x02\x02D\x01\x00;"
)


@require_role(*READERS)
def products(request: HttpRequest) -> HttpResponse:
    """Show the list of products, searched and narrowed by the address."""
    filters = ProductFilterForm(request.GET).filters()
    page = paginate(request, catalogue.listed(filters))
    orders = catalogue.recent_orders([product.pk for product in page])
    currency = Shop.current().currency
    rows = [
        {
            "product": product,
            "picture": catalogue_pages.picture_url(product),
            "chips": catalogue_pages.chips(product),
            "orders": orders.get(product.pk, 0),
            "currency": product.currency or currency,
        }
        for product in page
    ]
    context = {"nav": "data", "page": page, "rows": rows, "filters": filters, "show": SHOW}
    return render(request, "behaviour/products.html", context)


@require_role(*READERS)
def product(request: HttpRequest, sku: str) -> HttpResponse:
    """Show one product: what is known about it, and how price, stock and orders went."""
    found = get_object_or_404(Product.objects.select_related("upload"), sku=sku)
    currency = found.currency or Shop.current().currency
    changes, weeks = catalogue.history(found), catalogue.orders_by_week(found)
    context = {
        "nav": "data",
        "product": found,
        "currency": currency,
        "picture": catalogue_pages.picture_url(found),
        "picture_text": catalogue_pages.picture_text(found),
        "chips": catalogue_pages.chips(found),
        "attributes": catalogue_pages.attributes(found),
        "charts": catalogue_pages.charts(found, currency, changes, weeks),
        "orders": catalogue.recent_orders([found.pk]).get(found.pk, 0),
        "change": catalogue.last_change(found),
        "may_change": has_role(request.user, ADMIN),
    }
    return render(request, "behaviour/product.html", context)


@require_role(ADMIN)
@require_POST
def product_switch(request: HttpRequest, sku: str) -> HttpResponse:
    """Let a product be picked for emails, or keep it out."""
    found = get_object_or_404(Product, sku=sku)
    catalogue.switch(found, active=request.POST.get("active") == "yes", by=request.user)
    return redirect("behaviour:product", sku)


@require_role(*READERS)
def product_picture(request: HttpRequest, sku: str) -> HttpResponse:
    """Send a picture of another host, which the page itself may not load."""
    seen = pictures.picture_of(get_object_or_404(Product, sku=sku))
    data, kind = seen or (POINT, "image/gif")
    response = HttpResponse(data, content_type=kind)
    response["Cache-Control"] = f"private, max-age={PICTURE_AGE if seen else 60}"
    response["X-Content-Type-Options"] = "nosniff"
    return response
