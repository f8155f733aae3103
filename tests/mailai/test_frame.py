"""The frame: settings refuse nonsense, tasks exist, doors are documented."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

from mailai import env
from mailai.accounts import actions
from mailai.errors import SettingError
from mailai.management.commands import data_dictionary

ROOT = Path(settings.BASE_DIR)
OUR_APPS = {"mailai", "mailai.accounts", "behaviour", "segments", "recommender", "campaigns", "analytics"}


AREAS = (
    "api_key", "audit", "campaign", "demo", "recommender", "segment", "sender", "shop", "shopper", "team", "upload",
)  # fmt: skip


def test_a_flag_that_is_neither_yes_nor_no_is_refused(monkeypatch):
    monkeypatch.setenv("X", "maybe")
    with pytest.raises(SettingError, match="neither yes nor no"):
        env.flag("X")


def test_a_number_outside_its_range_is_refused(monkeypatch):
    monkeypatch.setenv("X", "70000")
    with pytest.raises(SettingError, match="outside"):
        env.integer("X", 1, low=1, high=65535)


def test_production_does_not_start_without_its_secrets(tmp_path):
    code = "import mailai.settings"
    environment = {"PATH": "/usr/bin:/bin", "MAILAI_PRODUCTION": "1", "MAILAI_DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "MAILAI_SECRET_KEY is not set" in done.stderr


def test_every_task_of_the_schedule_exists():
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(current_app.tasks)


def test_every_command_is_documented():
    text = (ROOT / "docs/commands.md").read_text()
    ours = {name for name, app in get_commands().items() if app in OUR_APPS}
    assert {name for name in ours if f"`{name}" not in text} == set()


def test_every_environment_variable_is_documented():
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', (ROOT / "mailai/settings.py").read_text()))
    text = (ROOT / "docs/settings.md").read_text()
    assert {name for name in read if f"`{name}`" not in text} == set()


def _patterns(resolver, prefix=""):
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _patterns(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern), entry.callback


def test_every_view_of_ours_names_who_may_open_it():
    open_to_all = []
    for address, view in _patterns(get_resolver()):
        module = getattr(view, "__module__", "")
        if module.split(".")[0] in {app.split(".")[0] for app in OUR_APPS} and not hasattr(view, "allowed_roles"):
            open_to_all.append(address)
    assert open_to_all == []


def test_nobody_without_a_role_opens_a_page(stranger, client, client_for):
    """Walk every address of ours: a stranger gets 403 (or 404/405 first), a visitor the login page."""
    theirs = client_for(stranger)
    fill = {
        "uuid": "00000000-0000-0000-0000-000000000000", "int": "1", "str": "x", "path": "x", "slug": "x", "sku": "x",
        "pseudonym": "x",
    }  # fmt: skip
    for address, view in _patterns(get_resolver()):
        if not getattr(view, "allowed_roles", ()):
            continue
        path = "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda match: fill[match[1] or "str"], address)
        for method in ("get", "post"):
            assert getattr(theirs, method)(path).status_code in {403, 405}, path
            assert getattr(client, method)(path).status_code in {302, 405}, path


def test_own_code_is_not_imported_inside_functions():
    own = r"^ +from (mailai|behaviour|segments|recommender|campaigns|analytics)[. ]"
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for app in ("mailai", "behaviour", "segments", "recommender", "campaigns", "analytics")
        for file in (ROOT / app).rglob("*.py")
        for line in file.read_text().splitlines()
        if re.match(own, line) and file.name != "apps.py"
    ]
    assert found == []


def test_the_data_dictionary_is_what_the_models_say():
    assert (ROOT / "docs/data-dictionary.md").read_text() == data_dictionary.dictionary()


def test_every_action_of_the_audit_log_has_words():
    sources = [file.read_text() for app in OUR_APPS if "." not in app for file in (ROOT / app).rglob("*.py")]
    pattern = re.compile(rf'"((?:{"|".join(AREAS)})\.(?!csv|urls)[a-z_]+)"')
    named = {action for text in sources for action in pattern.findall(text)}
    assert {action for action in named if action not in actions.LABELS} == set()
