"""What `make run` starts: everything embedded, in order, until Ctrl-C.

    ports free? -> AWS emulator, Redis and the stand-in for Stripe -> migrate, create_table, create_queues, create_feed,
    create_buckets, create_mail_identity, create_plans, seed_demo (once), rebuild_search (if it is lost) -> the Procfile's processes
    -> the box

Ctrl-C, SIGTERM and a closed terminal stop all of it the other way round. Each child is in a process group of its own, so a signal from
the terminal reaches this process alone. It starts no thread and imports no Django application.
"""

import contextlib
import http.client
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from goalgraph.adapters.local.embedded import ROOT, EmbeddedServices, ServiceError, port_is_free

STOP_SECONDS = 8
"""How long the Procfile's processes may take to stop; honcho itself kills what is left after 5."""
PATIENCE = 10
"""Seconds of waiting after which we say what we are waiting for."""

DEMO_MARK = "demo-data-loaded"
"""The file in the data folder that says: never load the demo data again, the member may have deleted it."""


class StopError(Exception):
    """We were told to stop."""


class RunError(Exception):
    """It does not work; the message is for the person at the terminal."""


class Interrupts:
    """Makes a StopError of the first signal to stop. Later ones, of somebody impatient, change nothing: everything is stopping.

    Within `held` the StopError waits until the block is left, so that no child is started or stopped by half.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.came = False
        self.holding = False

    def install(self) -> None:
        for each in self.SIGNALS:
            signal.signal(each, self._receive)

    def _receive(self, _signum: int, _frame: object) -> None:
        for each in self.SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        if not self.holding:
            raise StopError
        self.came = True

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.holding = True
        try:
            yield
        finally:
            self.holding = False
        if self.came:
            self.came = False
            raise StopError


interrupts = Interrupts()


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def settings_of_this_run() -> tuple[dict[str, int], Path]:
    """The ports by what they are for, and the data folder, as `goalgraph.settings.local` has them from the environment."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "goalgraph.settings.local")
    try:
        from goalgraph.settings import local
    except ValueError as error:
        raise RunError(f"PORT must be a number, like 8000 ({error}).") from error
    # For the children, which run in the project's folder: the Procfile needs a port, and a relative folder would be another one there.
    os.environ |= {"PORT": str(local.PORT), "GOALGRAPH_HOME": str(local.HOME)}
    ports = {"web": local.PORT, "AWS emulator": local.EMULATOR_PORT, "Redis": local.REDIS_PORT, "Stripe stand-in": local.STRIPE_PORT}
    return ports, local.HOME


def check_ports(ports: dict[str, int]) -> None:
    """Raises RunError naming each port that we cannot have."""
    if not all(0 < port < 2**16 for port in ports.values()):
        raise RunError(f"PORT={ports['web']} does not work: it gives the ports {', '.join(map(str, ports.values()))}.")
    if taken := [f"{port} ({name})" for name, port in ports.items() if not port_is_free(port)]:
        raise RunError(
            f"Taken already: port {' and '.join(taken)}. Stop what listens there, or choose other ports: make run PORT={ports['web'] + 1}"
        )


def manage(*words: str) -> None:
    """Run a management command; its output is shown when it fails. Raises RunError."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    with owned(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output, _ = process.communicate()
    if process.returncode:
        raise RunError(f"{output.rstrip()}\n`manage.py {shlex.join(words)}` failed.")


@contextlib.contextmanager
def owned(command: list[str], **pipes: int) -> Iterator["subprocess.Popen[str]"]:
    """A child that is gone when the block is left: asked by closing its standard input, or else by SIGTERM; then killed, children and all.

    `pipes` are the standard streams, as `subprocess.Popen` takes them.
    """
    process = None
    try:
        with interrupts.held():
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=ROOT,
                text=True,
                start_new_session=True,
                **pipes,  # type: ignore[call-overload]
            )
        yield process
    finally:
        with interrupts.held():
            if process:
                _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    family = _family(process)
    if process.stdin:
        process.stdin.close()
    else:
        process.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for survivor in alive:
        survivor.kill()
    process.wait()


def _family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def set_up(home: Path) -> None:
    say("Preparing the SQL database, the table, the queues, the event bus and the audit log ...")
    manage("migrate", "--no-input", "--run-syncdb")
    manage("create_table")
    manage("create_queues")
    manage("create_feed")
    manage("create_buckets")
    manage("create_mail_identity")
    manage("create_plans")
    mark = home / DEMO_MARK
    if not mark.exists():
        say("Loading the demo data ...")
        manage("seed_demo")
        mark.touch()
    manage("rebuild_search", "--if-lost")


def watch(processes: "subprocess.Popen[str]", services: EmbeddedServices, ports: dict[str, int], home: Path) -> None:
    """Print the box once the web answers; raise RunError when anything ends. Left by StopError only."""
    waiting = Waiting(ports["web"])
    while True:
        if processes.poll() is not None:
            raise RunError("A process of the Procfile ended, as said above, so everything stops.")
        if failure := services.failure():
            raise RunError(f"{failure}\nSo everything stops.")
        if waiting.just_ended():
            say(box(ports, home))
        time.sleep(0.1)


class Waiting:
    """Waits for the web to be able to serve, and says now and then what is missing."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.over = False
        self.next_look = time.monotonic()
        self.next_word = self.next_look + PATIENCE

    def just_ended(self) -> bool:
        """True the first time that the web is able to serve, and never again. Asks it once a second at most."""
        now = time.monotonic()
        if self.over or now < self.next_look:
            return False
        missing = what_is_not_ready(self.port)
        self.over = missing is None
        self.next_look = now + 1
        if missing and now > self.next_word:
            say(f"Still waiting for the web: {missing}")
            self.next_word = now + PATIENCE
        return self.over


def what_is_not_ready(port: int) -> str | None:
    """None once the web is able to serve, else what it answers."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as web:
        try:
            web.request("GET", "/readyz")
            answer = web.getresponse()
            return None if answer.status == 200 else f"{answer.status} {answer.read(2000).decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            return f"{error}"


def box(ports: dict[str, int], home: Path) -> str:
    """What to open, who to be, and a line to paste."""
    web = f"http://127.0.0.1:{ports['web']}"
    token = token_command(ports["web"], home)
    query = '{"query": "{ me { id nickname } goals(userId: \\"ana\\") { id title } }"}'
    curl = f"""curl -s {web}/graphql -H "Authorization: Bearer $({token})" -H 'Content-Type: application/json' -d '{query}'"""
    lines = [
        f"GoalGraph runs at {web}",
        "",
        f"GraphQL, GraphiQL   {web}/graphql",
        f"Back office         {web}/admin/",
        f"Health              {web}/readyz",
        f"AWS emulator        http://127.0.0.1:{ports['AWS emulator']}   Redis 127.0.0.1:{ports['Redis']}",
        f"Stripe stand-in     http://127.0.0.1:{ports['Stripe stand-in']}   (no money moves)",
        f"Data                {home}   (delete this folder to begin anew)",
        "",
        "Members             ana, bruno, carla",
        "Staff               admin, partner, partner2, moderator, support",
        "Password of each    goalgraph-demo",
        "",
        "Ctrl-C stops everything.",
    ]
    width = max(map(len, lines))
    rule = "+" + "-" * (width + 2) + "+"
    framed = "\n".join(f"| {line.ljust(width)} |" for line in lines)
    return f"\n{rule}\n{framed}\n{rule}\n\nAn access token:\n\n  {token}\n\nA first query:\n\n  {curl}\n"


def token_command(port: int, home: Path) -> str:
    """The command that prints a token, for any folder and for an instance beside the default one."""
    environment = [f"PORT={port}"] if port != 8000 else []
    if home != ROOT / ".local":
        environment.append(f"GOALGRAPH_HOME={shlex.quote(str(home))}")
    return " ".join(["cd", shlex.quote(str(ROOT)), "&&", *environment, ".venv/bin/python", "manage.py", "token", "ana"])


def run() -> None:
    ports, home = settings_of_this_run()
    check_ports(ports)
    home.mkdir(parents=True, exist_ok=True)
    say("Starting " + ", ".join(f"{name} (port {port})" for name, port in ports.items() if name != "web") + " ...")
    with contextlib.ExitStack() as stopping:
        with interrupts.held():
            services = EmbeddedServices.launch(
                home,
                emulator_port=ports["AWS emulator"],
                redis_port=ports["Redis"],
                stripe_port=ports["Stripe stand-in"],
                stripe_webhook=webhook_url(),
            )
            stopping.callback(_stop_services, services)
        services.await_start()
        set_up(home)
        say(f"Starting the web (port {ports['web']}) ...")
        command = [sys.executable, "-m", "goalgraph.adapters.local.processes"]
        with owned(command, stdin=subprocess.PIPE) as processes:
            watch(processes, services, ports, home)


def webhook_url() -> str:
    """Where the web takes Stripe's events."""
    from goalgraph.settings import local

    return f"{local.PUBLIC_URL}/stripe/webhook/{local.STRIPE_WEBHOOK_UUID}"


def _stop_services(services: EmbeddedServices) -> None:
    with interrupts.held():
        services.stop()


def main() -> int:
    interrupts.install()
    try:
        run()
    except StopError:
        with contextlib.suppress(OSError):  # the terminal may be gone
            say("Stopped.")
    except (RunError, ServiceError) as error:
        print(f"make run: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
