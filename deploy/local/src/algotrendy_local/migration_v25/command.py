"""What ``algotrendy migrate v25`` prints and writes."""

import json
from pathlib import Path

from rich.console import Console

from algotrendy_local.errors import StackError
from algotrendy_local.migration_v25 import report
from algotrendy_local.migration_v25.importing import import_export
from algotrendy_local.settings import LocalSettings


def migrate_v25(settings: LocalSettings, folder: Path, *, dry_run: bool, into: Path | None, as_json: bool) -> bool:
    """Whether all that was accepted is there; raises StackError where nothing could be imported."""
    if into is not None and not into.parent.is_dir():
        raise StackError("no_folder", f"there is no folder {into.parent} for the report")
    results = import_export(settings, folder, dry_run=dry_run)
    document = report.document(results, dry_run=dry_run)
    if into is not None:
        into.write_text(json.dumps(document, indent=1) + "\n")
    console = Console(highlight=False, emoji=False)
    if as_json:
        console.print_json(data=document)
    else:
        console.print(report.rendered(results, dry_run=dry_run))
    return report.succeeded(results)
