"""Everything on a screen is there in Chinese, and the compiled catalogue is the written one."""

import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
FOLDER = ROOT / "locale/zh_Hans/LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


def _catalogue(file: Path) -> dict:
    with file.open("rb") as opened:
        return dict(gettext.GNUTranslations(opened)._catalog)


def _compile(source: Path, target: Path) -> Path:
    assert shutil.which("msgfmt"), "msgfmt is missing: install the package gettext"
    subprocess.run(["msgfmt", "--check-format", "-o", target, source], check=True)
    return target


def test_the_committed_catalogue_is_compiled_from_the_committed_texts(tmp_path):
    fresh = _compile(FOLDER / "django.po", tmp_path / "django.mo")
    assert _catalogue(fresh) == _catalogue(FOLDER / "django.mo")


def test_no_text_is_missing_fuzzy_or_left_over(tmp_path):
    """Collect the texts of the sources again: each has a translation, and no other is kept."""
    copy = tmp_path / "locale/zh_Hans/LC_MESSAGES"
    copy.mkdir(parents=True)
    shutil.copy(FOLDER / "django.po", copy / "django.po")
    statistics = subprocess.run(
        ["msgfmt", "--statistics", "-o", "/dev/null", copy / "django.po"], capture_output=True, text=True, check=True
    ).stderr
    assert "fuzzy" not in statistics
    assert "untranslated" not in statistics
    # Keys of the catalogue: a text, (text, plural form), each with its context in front.
    keys = (key[0] if isinstance(key, tuple) else key for key in _catalogue(FOLDER / "django.mo"))
    known = {key.split("\x04")[-1] for key in keys}
    missing = _texts_of_the_sources(tmp_path) - known
    assert missing == set()


def _texts_of_the_sources(scratch: Path) -> set[str]:
    """Run makemessages on a copy of the sources, so that the checkout stays as it is."""
    tree = scratch / "tree"
    unread = ("node_modules", ".venv", "var", ".git", "*.mo", "demo_data", "screens", "tests")
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*unread))
    po = tree / "locale/zh_Hans/LC_MESSAGES/django.po"
    po.unlink()
    command = [sys.executable, "manage.py", "makemessages", "--locale", "zh_Hans", "--no-location", "--no-wrap"]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "mailai.settings"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    blank = po.read_text()
    texts = set()
    for match in re.finditer(r'^msgid ((?:".*"\n)+)', blank, re.MULTILINE):
        text = "".join(eval(line) for line in match[1].splitlines())  # a quoted po line is a Python literal
        if text:
            texts.add(text)
    return texts


def test_a_translation_keeps_the_placeholders():
    for text, chinese in _catalogue(FOLDER / "django.mo").items():
        source = text[0] if isinstance(text, tuple) else text
        if source and not isinstance(text, tuple):
            assert sorted(PLACEHOLDER.findall(source)) == sorted(PLACEHOLDER.findall(chinese)), source
