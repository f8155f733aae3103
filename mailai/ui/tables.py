"""Paging of tables on the server; filters and sorting stay in the address."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest

PER_PAGE = 25


@dataclass(frozen=True)
class Page:
    """One page of rows, with the addresses of its neighbours (components/pager.html shows them)."""

    rows: Sequence[Any]
    number: int
    n_pages: int
    total: int
    first: int
    last: int
    previous_url: str
    next_url: str

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def paginate(request: HttpRequest, queryset: Any, per_page: int = PER_PAGE) -> Page:
    """Return the page that ?page= asks for; nonsense shows the first, too far shows the last. Two queries."""
    paginator = Paginator(queryset, per_page)
    chosen = paginator.get_page(request.GET.get("page"))
    rows = list(chosen.object_list)
    return Page(
        rows=rows,
        number=chosen.number,
        n_pages=paginator.num_pages,
        total=paginator.count,
        first=chosen.start_index(),
        last=chosen.end_index(),
        previous_url=_url(request, chosen.number - 1) if chosen.has_previous() else "",
        next_url=_url(request, chosen.number + 1) if chosen.has_next() else "",
    )


def _url(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
