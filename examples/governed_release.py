"""A governed release from the first model to a rollback, against a real MLflow server with real logins.

Run it with ``make demo`` (or ``python examples/governed_release.py``). It leaves everything in ``demo/``; ``make ui``
serves that again. The story: ana trains, raj and mei decide, production drifts, oncall goes back, somebody tampers, and
at the end a Proposal waits for a signature in the browser.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parent
SCRIPT = Path(sys.executable).parent / "registry-hooks"
MODEL = "acs-employment"
MARK = ".governed-release-demo"  # only a folder with this file in it is ever cleared
PEOPLE = {"admin": "the administrator", "ana": "data scientist", "raj": "risk", "mei": "risk", "oncall": "on call"}
PASSWORDS = {name: f"{name}-demo-password" for name in PEOPLE}


class Story:
    """The folder, the server, and everything that was said."""

    def __init__(self, folder: Path, uri: str, database: str) -> None:
        self.folder = folder
        self.uri = uri
        self.database = database
        self.started = time.monotonic()
        self.transcript = (folder / "transcript.txt").open("w", encoding="utf-8")

    def say(self, text: str = "") -> None:
        """Tell it, and write it down."""
        print(text, flush=True)
        self.transcript.write(text + "\n")
        self.transcript.flush()

    def step(self, text: str) -> None:
        """Begin a step of the story."""
        self.say(f"\n[{time.monotonic() - self.started:5.1f} s] {text}")

    def environment(self, user: str) -> dict[str, str]:
        """The environment of ``user``'s client."""
        login = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": PASSWORDS[user]}
        return {**os.environ, **login, "MLFLOW_TRACKING_URI": self.uri}

    def run(self, user: str, *arguments: str, expect: int = 0) -> str:
        """Run ``registry-hooks`` as ``user``, as a process of its own, and tell what it said."""
        quoted = [f'"{each}"' if " " in each else each for each in arguments]
        self.say(f"  {user}$ registry-hooks {' '.join(quoted)}")
        began = time.monotonic()
        done = subprocess.run(
            [str(SCRIPT), *arguments], env=self.environment(user), cwd=self.folder, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        for line in (done.stdout + done.stderr).rstrip().splitlines():
            self.say(f"      {line}")
        self.say(f"      (exit code {done.returncode}, {time.monotonic() - began:.2f} s)")
        if done.returncode != expect:
            raise SystemExit(f"expected exit code {expect}; see {self.folder / 'server.log'}")
        return done.stdout


@contextlib.contextmanager
def acting(story: Story, user: str) -> Iterator[None]:
    """Let MLflow's clients in this process log in as ``user``."""
    before = dict(os.environ)
    os.environ.update(story.environment(user))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Tell the story, or serve what it left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=EXAMPLES.parent / "demo")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--ui", action="store_true", help="serve what an earlier run left, until Ctrl-C")
    parser.add_argument("--server", metavar="URI", help="a governed server that runs already, and knows the people")
    parser.add_argument("--database", metavar="URI", help="that server's database, which somebody tampers with")
    options = parser.parse_args()
    if bool(options.server) != bool(options.database):
        parser.error("--server and --database go together")
    folder = options.folder.resolve()
    if options.server:
        clear(folder)
        tell(Story(folder, options.server, options.database))
        return
    port = free_port(options.port)
    if port != options.port:
        print(f"Port {options.port} is in use; taking {port}.")
    if options.ui:
        serve_again(folder, port)
        return
    clear(folder)
    story = Story(folder, f"http://127.0.0.1:{port}", f"sqlite:///{folder / 'mlflow.db'}")
    with serving(story, port):
        tell(story)


def free_port(wanted: int) -> int:
    """``wanted`` where nobody listens on it, else any other."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SystemExit("no port is free on 127.0.0.1")


def clear(folder: Path) -> None:
    """Empty the folder of an earlier run, and no other folder."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise SystemExit(f"{folder} is not empty and was not made by this program; choose another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def command(port: int, workers: int = 2) -> list[str]:
    """How the server is started; by default it has four workers, which take longer to start."""
    return [str(SCRIPT), "server", "--port", str(port), "--workers", str(workers), "--auth-cache-seconds", "60"]


def server_environment() -> dict[str, str]:
    """The server's environment: nobody's login, and no jobs, which this story does not use."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    fixed = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    return {**kept, **fixed, "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORDS["admin"]}


@contextlib.contextmanager
def serving(story: Story, port: int, workers: int = 2) -> Iterator[None]:
    """A real server for the length of the block; its process group is ours, and ends with it."""
    with (story.folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command(port, workers), cwd=story.folder, env=server_environment(), stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        story.step(f"A real MLflow server starts on {story.uri}: SQLite, logins, a governed registry")
        story.say(f"  $ registry-hooks {' '.join(command(port, workers)[1:])}")
        wait_until_it_answers(story, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until_it_answers(story: Story, process: subprocess.Popen[bytes]) -> None:
    """Return when the server is up."""
    for _ in range(900):
        if process.poll() is not None:
            raise SystemExit(f"the server ended; see {story.folder / 'server.log'}")
        with contextlib.suppress(OSError), urllib.request.urlopen(story.uri + "/health", timeout=2):
            return
        time.sleep(0.1)
    raise SystemExit(f"the server did not come up; see {story.folder / 'server.log'}")


def tell(story: Story) -> None:
    """The whole story."""
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(story.uri)
    meet_the_people(story)
    import acs_models

    data = acs_models.load()
    with acting(story, "ana"):
        mlflow.set_experiment(MODEL)
        trained = train(story, data)
        versions = register(story, trained)
    release(story, versions[0], "the first one: age and education, well calibrated")
    release(story, versions[1], "boosted trees: better AUC, accuracy and log loss")
    with acting(story, "ana"):
        trained["production-2018"] = watch_production(story, trained["better"][0], data)
    seconds = roll_back(story)
    tamper(story)
    with acting(story, "ana"):
        trained["retrained"] = retrain(story, data, champion=trained["baseline"][0])
    proposal = ask_for_a_signature(story)
    close(story, trained, seconds, proposal)


def meet_the_people(story: Story) -> None:
    """The administrator makes users and puts the policy in force."""
    story.step("The administrator makes users and puts examples/policy.yaml in force")
    from mlflow.server.auth.client import AuthServiceClient

    with acting(story, "admin"):
        client: Any = AuthServiceClient(story.uri)
        for name in PEOPLE:
            if name != "admin":
                client.create_user(name, PASSWORDS[name])
    story.run("admin", "policy", "apply", str(EXAMPLES / "policy.yaml"))


def train(story: Story, data: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Ana trains two models and evaluates each; gives model URI and run id by name."""
    import acs_models

    made: dict[str, tuple[str, str]] = {}
    champion = None
    for name, model in (("baseline", acs_models.baseline()), ("better", acs_models.better())):
        beside = f", beside the {next(iter(made))}" if made else ""
        story.step(f"ana trains the {name} model on 2015 and evaluates it on people it has not seen{beside}")
        with what_it_says() as said:
            champion, run_id, metrics = acs_models.train_and_evaluate(name, model, data, champion)
        made[name] = (champion, run_id)
        tell_run(story, run_id, metrics, said)
    return made


def tell_run(story: Story, run_id: str, metrics: dict[str, float], said: list[str]) -> None:
    """What was measured of a model in its run, and what the evaluation said."""
    story.say(f"  run {run_id}")
    for metric in ("roc_auc", "accuracy_score", "log_loss"):
        story.say(f"      {metric} {metrics[metric]:.4f}")
    for line in said:
        story.say(f"      {line}")
    tell_checks(story, run_id)


@contextlib.contextmanager
def what_it_says() -> Iterator[list[str]]:
    """The lines that an evaluation writes to the console, once it has ended."""
    console, lines = io.StringIO(), list[str]()
    with contextlib.redirect_stdout(console):
        yield lines
    lines += console.getvalue().splitlines()


def tell_checks(story: Story, run_id: str) -> None:
    """The verdict of each Evidence in a run, and the Checks that failed."""
    import json

    import mlflow

    for file in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path="evidence"):
        evidence = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{file.path}"))
        kind = evidence["kind"]
        count = len(evidence["checks"])
        story.say(f"      Evidence {kind}: {evidence['verdict']} ({count} checks, {evidence['digest'][:19]}…)")
        failed = [check for check in evidence["checks"] if check["verdict"] == "fail"]
        for check in failed[:3]:
            story.say(f"        fail: {check['claim']}. {check['reason']}")
        if len(failed) > 3:
            story.say(f"        … and {len(failed) - 3} more")


def register(story: Story, trained: dict[str, tuple[str, str]]) -> list[int]:
    """Ana registers both, and finds that MLflow's own calls are governed too."""
    import mlflow
    from mlflow.exceptions import MlflowException

    story.step("ana registers both models, and tries to put version 1 into production past everybody")
    with contextlib.redirect_stderr(io.StringIO()):  # MLflow tells it too
        versions = [int(mlflow.register_model(uri, MODEL).version) for uri, _run in trained.values()]
    client = mlflow.MlflowClient()
    tries: dict[str, Callable[[], object]] = {
        f'client.set_registered_model_alias("{MODEL}", "champion", {versions[0]})': lambda: (
            client.set_registered_model_alias(MODEL, "champion", str(versions[0]))
        ),
        f'client.transition_model_version_stage("{MODEL}", {versions[0]}, "Production")': lambda: (
            client.transition_model_version_stage(MODEL, str(versions[0]), "Production")
        ),
    }
    for code, call in tries.items():
        story.say(f"  >>> {code}")
        try:
            call()
        except MlflowException as error:
            refused: Any = error
            story.say(f"      HTTP {refused.get_http_status_code()} {error}".replace("\n", "\n      "))
        else:
            raise SystemExit("a version became champion without approval")
    return versions


def release(story: Story, version: int, why: str) -> None:
    """One version from nomination to champion."""
    number = str(version)
    story.step(f"Version {version} is nominated on its Evidence; people decide")
    story.run("ana", "nominate", MODEL, number)
    story.run("ana", "plan", MODEL, number, expect=1)
    story.run("ana", "request", MODEL, number, "--comment", why)
    if version == 1:
        story.run("ana", "approve", MODEL, number, "--comment", "I am sure", expect=1)
    story.run("raj", "approve", MODEL, number, "--comment", "read the calibration report")
    story.run("mei", "approve", MODEL, number, "--comment", "read the subgroup report, SEX by RAC1P")
    story.run("ana", "promote", MODEL, number)


def watch_production(story: Story, model_uri: str, data: dict[str, Any]) -> tuple[str, str]:
    """What version 2 served from 2016 to 2018, evaluated from the log alone, labels having arrived."""
    import acs_models

    reference = acs_models.score(model_uri, data["held-out"])
    for year in ("2016", "2017", "2018"):
        story.step(f"Labels of {year} have arrived: what was served is evaluated, without the model")
        with what_it_says() as said:
            run_id, metrics = acs_models.evaluate_production(year, acs_models.score(model_uri, data[year]), reference)
        story.say(f"  run {run_id}, {len(data[year])} people")
        for name in ("calibration_ece", "calibration_in_the_large"):
            story.say(f"      {name} {metrics[name]:.4f}")
        for line in said:
            story.say(f"      {line}")
        tell_checks(story, run_id)
    return model_uri, run_id


def roll_back(story: Story) -> float:
    """On call goes back, in one command."""
    story.step("At night: oncall goes back to the champion before")
    began = time.monotonic()
    story.run(
        "oncall", "rollback", MODEL, "--reason", "2018: scores of people under 25 run too high; see run production-2018"
    )
    seconds = time.monotonic() - began
    story.run("oncall", "status", MODEL)
    return seconds


def tamper(story: Story) -> None:
    """One byte of the ledger is changed in the database, found, and put back."""
    story.step("The audit log: every decision, and what happens when one byte of it is changed in the database")
    story.run("mei", "history", MODEL)
    story.run("mei", "audit", "verify")
    import sqlalchemy as sa

    ledger = sa.table("registry_hooks_ledger", *map(sa.column, ("seq", "action", "entry")))
    database = sa.create_engine(story.database)
    with database.connect() as connection:
        find = sa.select(ledger.c.seq, ledger.c.entry).where(ledger.c.action == "approved").order_by(ledger.c.seq)
        seq, entry = connection.execute(find).first() or (0, "")

    def write(text: str) -> None:
        with database.begin() as connection:
            connection.execute(sa.update(ledger).where(ledger.c.seq == seq).values(entry=text))

    write(entry.replace("raj", "ray", 1))
    story.say(f"  (somebody with the database changes one letter of entry {seq}: raj becomes ray)")
    try:
        told = story.run("mei", "audit", "verify", expect=4)
    finally:
        write(entry)
        database.dispose()
    if f"entry {seq}:" not in told:
        raise SystemExit(f"expected entry {seq} to be named")
    story.say("  (the letter is put back)")
    story.run("mei", "audit", "verify")


def retrain(story: Story, data: dict[str, Any], champion: str) -> tuple[str, str]:
    """Ana trains the trees anew on people of 2018, and registers what comes of it."""
    import acs_models
    import mlflow

    story.step("In the morning: ana trains the trees anew, on people of 2018, and evaluates them beside version 1")
    rows = acs_models.split(data["2018"])
    with what_it_says() as said:
        uri, run_id, metrics = acs_models.train_and_evaluate(
            "retrained", acs_models.better(), rows, champion, year="2018"
        )
    tell_run(story, run_id, metrics, said)
    with contextlib.redirect_stderr(io.StringIO()):
        mlflow.register_model(uri, MODEL)
    return uri, run_id


def ask_for_a_signature(story: Story) -> str:
    """Ana asks for what only people can give; gives the address of the page on which they decide."""
    story.step("Version 3 is nominated, and ana asks for two signatures: they wait in the browser")
    story.run("ana", "nominate", MODEL, "3")
    story.run("ana", "request", MODEL, "3", "--comment", "trained anew on 2018, after the rollback of version 2")
    return f"{story.uri}/registry-hooks/"


def close(story: Story, trained: dict[str, tuple[str, str]], rollback_seconds: float, page: str) -> None:
    """What happened, and what to open."""
    story.step("What happened")
    story.say(
        f"  Version 1 and then version 2 of {MODEL} were let in on Evidence and two approvals each. In 2018\n"
        f"  the calibration of a subgroup broke its tolerance, and oncall was back on version 1 after\n"
        f"  {rollback_seconds:.2f} s. The audit log names each decision, and named the entry that was tampered with.\n"
        f"  Version 3, trained anew, waits for the signatures of raj and mei."
    )
    story.say("\nTo look at it:  make ui   (it prints the port that it takes)")
    for name, what in PEOPLE.items():
        story.say(f"  login {name:7} password {PASSWORDS[name]:20} {what}")
    for name, (_uri, run_id) in trained.items():
        found = sorted((story.folder / "mlartifacts").glob(f"*/{run_id}/artifacts/reports/*.html"))
        story.say(f"  Reports of {name}:")
        for path in found:
            story.say(f"    {path}")
    story.say(f"  This transcript:  {story.folder / 'transcript.txt'}")
    story.say(f"\nTo sign or reject version 3:  make ui, then log in as mei or raj at\n  {page}")


def serve_again(folder: Path, port: int) -> None:
    """Serve what an earlier run left, until Ctrl-C."""
    if not (folder / MARK).exists():
        raise SystemExit(f"nothing to serve in {folder}; run `make demo` first")
    print(
        f"Open http://127.0.0.1:{port}/registry-hooks/ to see what waits for you, or http://127.0.0.1:{port} for MLflow"
    )
    print("(Ctrl-C ends it)")
    for name, what in PEOPLE.items():
        print(f"  login {name:7} password {PASSWORDS[name]:20} {what}", flush=True)
    os.chdir(folder)
    os.execve(SCRIPT, command(port), server_environment())


if __name__ == "__main__":
    main()
