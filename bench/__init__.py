"""Benchmarks: each prints a table and one JSON line at the end, figures beside a limit of the same run."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailai.settings")
django.setup()
