"""``python -m algotrendy_local`` is the ``algotrendy`` command."""

from algotrendy_local.cli import app

app()
