"""Runs benchmarks and keeps their results: ``python -m benchmarks [NAME|all]``.

Invariant: a benchmark's last line is JSON ``{"name", "figures", "targets", "ok"}``; what is kept is that line, the
commit and the machine, never a number typed in.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    return sorted(path.parent.name for path in HERE.glob("*/run.py"))


def machine() -> dict[str, object]:
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next(
            (line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line), model
        )
    return {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count(), "cpu": model}


def run(name: str) -> bool:
    """Run one benchmark, pass its output through, keep its last line; True where it met its targets."""
    print(f"== {name}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", f"benchmarks.{name}.run"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    if process.wait() != 0:
        print(f"{name} failed with status {process.returncode}", file=sys.stderr)
        return False
    result = json.loads(last)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    kept = result | {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.strip() or None,
        "machine": machine(),
    }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")
    return bool(result["ok"])


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    if wanted != "all" and wanted not in names():
        raise SystemExit(f"there is no benchmark {wanted!r}; there are: {', '.join(names())}")
    ok = [run(name) for name in (names() if wanted == "all" else [wanted])]
    raise SystemExit(0 if all(ok) else 1)


if __name__ == "__main__":
    main()
