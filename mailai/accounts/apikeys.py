"""Keys for programs: what they may do and how much of it. A secret is shown once; its hash is all that is kept."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from mailai.accounts import audit
from mailai.accounts.models import ApiKey, User
from mailai.errors import InputError

SECRET_BYTES, PREFIX = 32, 8
# A revoked key works for at most so many seconds more, in every process.
CACHE_SECONDS, MOST_CACHED = 5.0, 1000
# A process takes a minute's allowance in so many portions; "last event" is written at most so often.
PORTIONS, NOTE_SECONDS, MINUTE = 20, 2.0, 60


@dataclass(frozen=True)
class Caller:
    """Who calls, as far as it was looked up."""

    pk: int
    prefix: str
    key_hash: str
    scopes: frozenset[str]
    origins: frozenset[str]
    rate: int
    expires_at: datetime | None


@dataclass
class _Allowance:
    minute: int = -1
    left: int = 0


_lock = threading.Lock()
_callers: dict[str, tuple[float, Caller]] = {}
_allowances: dict[int, _Allowance] = {}
_noted: dict[int, float] = {}


def hash_of(secret: str) -> str:
    """Return SHA-256 of a key; its 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create(
    name: str,
    scopes: Sequence[str],
    *,
    by: User,
    rate: int,
    origins: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; return it and its secret, which nobody can see again.

    Raises
    ------
    InputError : a key for pages that may do more, or that names no page.
    """
    browser = ApiKey.Scope.BROWSER in scopes
    if browser and len(scopes) > 1:
        raise InputError(_("Everybody can read the key of a page, so it may do nothing else. Make a second key."))
    if browser and not origins:
        raise InputError(_("Say from which addresses pages may send events, such as https://shop.example."))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey.objects.create(
        name=name, scopes=list(scopes), rate=rate, origins=list(origins), expires_at=expires_at, created_by=by,
        prefix=secret[:PREFIX], key_hash=hash_of(secret), site_key=secret if browser else "",
    )  # fmt: skip
    audit.record("api_key.create", key, by=by, scopes=list(scopes), rate=rate)
    return key, secret


@transaction.atomic
def revoke(key: ApiKey, *, by: User) -> None:
    """End a key for ever; processes that saw it within the last seconds forget it then."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record("api_key.revoke", key, by=by)
    forget()


def forget() -> None:
    """Look every key up again from now on, in this process."""
    with _lock:
        _callers.clear()
        _allowances.clear()
        _noted.clear()


def caller_of(secret: str) -> Caller | None:
    """Return who has this key; None if nobody, or no longer."""
    key_hash = hash_of(secret)
    now = time.monotonic()
    until, caller = _callers.get(key_hash, (0.0, None))
    if caller is None or now >= until:
        caller = _look_up(key_hash)
        with _lock:
            if caller is None or len(_callers) >= MOST_CACHED:
                _callers.clear()
            if caller is not None:
                _callers[key_hash] = (now + CACHE_SECONDS, caller)
    if caller is None or not hmac.compare_digest(caller.key_hash, key_hash):
        return None
    return None if caller.expires_at and caller.expires_at <= timezone.now() else caller


def _look_up(key_hash: str) -> Caller | None:
    key = ApiKey.objects.filter(key_hash=key_hash, revoked_at=None).first()
    if key is None:
        return None
    return Caller(
        key.pk, key.prefix, key.key_hash, frozenset(key.scopes), frozenset(key.origins), key.rate, key.expires_at
    )


def wait_seconds(caller: Caller, n: int) -> int:
    """Take ``n`` from the key's allowance of this minute; return 0, or after how many seconds to ask again.

    All processes share the minute's allowance and take it in twentieths, so the limit is never passed; a twentieth
    that another process holds and does not use may be missing at its end.
    """
    now = int(time.time())
    minute = now // MINUTE
    with _lock:
        mine = _allowances.setdefault(caller.pk, _Allowance())
        if mine.minute != minute:
            mine.minute, mine.left = minute, 0
        if mine.left < n:
            missing = n - mine.left
            portion = max(missing, caller.rate // PORTIONS)
            if _reserved(caller, minute, portion):
                mine.left += portion
            elif portion > missing and _reserved(caller, minute, missing):
                mine.left += missing
            else:
                return MINUTE - now % MINUTE
        mine.left -= n
    return 0


def _reserved(caller: Caller, minute: int, n: int) -> bool:
    """Take a portion for this process in one statement; say whether there was as much."""
    if n > caller.rate:
        return False
    fits = ~Q(minute=minute) | Q(used__lte=caller.rate - n)
    used = Case(When(minute=minute, then=F("used") + Value(n)), default=Value(n))
    rows = ApiKey.objects.filter(fits, pk=caller.pk)
    return bool(rows.update(used=used, minute=minute, last_used_at=timezone.now()))


def note_is_due(caller: Caller) -> bool:
    """Say whether ``note_event`` would write something; asked before waiting for a turn to write."""
    return time.monotonic() - _noted.get(caller.pk, -NOTE_SECONDS) >= NOTE_SECONDS


def note_event(caller: Caller) -> None:
    """Remember when the last event came, every other second at most."""
    if note_is_due(caller):
        _noted[caller.pk] = time.monotonic()
        ApiKey.objects.filter(pk=caller.pk).update(last_event_at=timezone.now())
