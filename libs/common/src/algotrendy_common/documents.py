"""Documents written from the catalogue: the page of subjects and the AsyncAPI description.

Invariant: what is generated depends on the catalogue alone, so the same catalogue gives the same bytes.
Run ``python -m algotrendy_common.documents docs`` to write them.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from algotrendy_common.permissions import USERS, publish_allowed, subscribe_allowed
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.subjects import BUCKETS, CATALOGUE, SERVICES, STREAMS, Stream, Subject

_NOTE = "<!-- Written by `make docs` from the catalogue in libs/common; edit that, not this. -->\n"
_REFS = "#/components/schemas/{model}"


def subjects_page() -> str:
    """Markdown: every stream, subject, call and permission."""
    lines = [
        _NOTE,
        "# Subjects",
        "",
        "Everything that travels between services, who alone may publish it, and who reads it. NATS itself enforces",
        "both. *durable*: each message, in order, acknowledged after its effect is committed. *batch*: the same, many",
        "at a time. *hot*: straight off the wire, newest first in importance, may be skipped by a slow reader.",
        "",
        "## Events",
        "",
        "| subject | event | stream | published by | read by | what it says |",
        "|---|---|---|---|---|---|",
        *(_subject_line(row) for row in CATALOGUE),
        "",
        "## Streams",
        "",
        "| stream | kept in | for at most | size at most | when full | work queue | delete and purge |",
        "|---|---|---|---|---|---|---|",
        *(_stream_line(stream) for stream in STREAMS),
        "",
        "## Buckets",
        "",
        "Files in JetStream's object store.",
        "",
        "| bucket | what | kept by | for at most | size at most |",
        "|---|---|---|---|---|",
        *(
            f"| `{bucket.name}` | {bucket.meaning} | {', '.join(bucket.owners)} | {bucket.max_age.days} days "
            f"| {bucket.max_bytes // (1024 * 1024)} MiB |"
            for bucket in BUCKETS
        ),
        "",
        "## Calls",
        "",
        "Core request and reply; the answer comes on the caller's private inbox.",
        "",
        "| subject | asked | answered | answered by | may be asked by |",
        "|---|---|---|---|---|",
        *(
            f"| `{call.subject}` | `{call.request.__name__}` | `{call.response.__name__}` | {call.service} "
            f"| {', '.join(call.callers)} |"
            for call in CALLS
        ),
        "",
        "## What each NATS user may do",
        "",
        "| user | publish | subscribe |",
        "|---|---|---|",
        *(f"| {user} | {_codes(publish_allowed(user))} | {_codes(subscribe_allowed(user))} |" for user in USERS),
        "",
    ]
    return "\n".join(lines)


def service_section(service: str) -> str:
    """Markdown for a service's README: what it consumes, produces, answers and asks."""
    lines = ["| | subject | how |", "|---|---|---|"]
    for row in CATALOGUE:
        if service in row.readers:
            lines.append(f"| consumes | `{row.pattern}` | {row.readers[service].value} |")
    for row in CATALOGUE:
        if service in row.owners:
            lines.append(f"| produces | `{row.pattern}` | {row.stream.name if row.stream else 'not kept'} |")
    lines += [f"| answers | `{call.subject}` | {call.response.__name__} |" for call in CALLS if call.service == service]
    lines += [f"| asks | `{call.subject}` | {call.response.__name__} |" for call in CALLS if service in call.callers]
    return "\n".join(lines) + "\n"


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: a channel a subject, an operation for each publisher and reader, a schema an event."""
    events = [event for row in CATALOGUE for event in row.events]
    _, definitions = models_json_schema([(event, "serialization") for event in events], ref_template=_REFS)
    operations: dict[str, Any] = {}
    for row in CATALOGUE:
        reference = {"$ref": f"#/channels/{row.slug}"}
        for owner in row.owners:
            operations[f"{owner}-sends-{row.slug}"] = {
                "action": "send",
                "channel": reference,
                "tags": [{"name": owner}],
            }
        for reader, delivery in row.readers.items():
            operations[f"{reader}-receives-{row.slug}"] = {
                "action": "receive",
                "channel": reference,
                "tags": [{"name": reader}],
                "description": f"{delivery.value} delivery",
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "AlgoTrendy events",
            "version": "0.1.0",
            "description": "Facts on NATS JetStream. Numbers that are money are strings.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {row.slug: _channel(row) for row in CATALOGUE},
        "operations": operations,
        "components": {
            "messages": {
                event.__name__: {
                    "name": event.__name__,
                    "summary": (event.__doc__ or "").strip().splitlines()[0] if event.__doc__ else event.__name__,
                    "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
                }
                for event in events
            },
            "schemas": definitions["$defs"],
        },
    }


def write(folder: Path) -> list[Path]:
    """Write both documents into ``folder``; returns their paths."""
    subjects, api = folder / "subjects.md", folder / "asyncapi.json"
    subjects.write_text(subjects_page(), encoding="utf-8")
    api.write_text(json.dumps(asyncapi(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return [subjects, api, *_write_readmes(folder.parent)]


MARK_BEGIN, MARK_END = "<!-- catalogue -->", "<!-- /catalogue -->"


def with_section(text: str, service: str) -> str:
    """A README with its generated part made anew; raises ValueError where the marks are missing."""
    head, begin, rest = text.partition(MARK_BEGIN)
    _, end, tail = rest.partition(MARK_END)
    if not begin or not end:
        raise ValueError(f"the README of {service} has no {MARK_BEGIN} … {MARK_END}")
    return f"{head}{begin}\n{service_section(service)}{end}{tail}"


def _write_readmes(root: Path) -> list[Path]:
    written = []
    for service in SERVICES:
        path = root / "services" / service / "README.md"
        path.write_text(with_section(path.read_text(encoding="utf-8"), service), encoding="utf-8")
        written.append(path)
    return written


def _subject_line(row: Subject) -> str:
    events = ", ".join(f"`{event.__name__}`" for event in row.events)
    readers = ", ".join(f"{service} ({delivery.value})" for service, delivery in row.readers.items()) or "—"
    owners = "every service" if row.owners == SERVICES else ", ".join(row.owners)
    stream = row.stream.name if row.stream else "—"
    return f"| `{row.pattern}` | {events} | {stream} | {owners} | {readers} | {row.meaning} |"


def _stream_line(stream: Stream) -> str:
    age = str(stream.max_age) if stream.max_age else "ever"
    size = f"{stream.max_bytes // 1024 // 1024} MiB" if stream.max_bytes else "—"
    full = "publishing fails" if stream.discard_new else "the oldest go"
    return (
        f"| {stream.name} | {stream.storage.value} | {age} | {size} | {full} "
        f"| {'yes' if stream.work_queue else 'no'} | {'denied' if stream.sealed else 'by the migrator'} |"
    )


def _codes(subjects: list[str]) -> str:
    return "<br>".join(f"`{subject}`" for subject in subjects) or "—"


def _channel(row: Subject) -> dict[str, Any]:
    names = [part.strip("{}") for part in row.pattern.split(".") if part.startswith("{")]
    channel: dict[str, Any] = {
        "address": row.pattern,
        "description": row.meaning,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in row.events},
    }
    if names:
        channel["parameters"] = {name: {"description": f"The event's {name}"} for name in names}
    return channel


if __name__ == "__main__":
    for written in write(Path(sys.argv[1])):
        sys.stdout.write(f"{written}\n")
