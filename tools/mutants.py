"""Change the statistics in one small place at a time, and tell which changes no test notices.

    python tools/mutants.py inference.intervals inference.checks [--tests tests/stats] [--lines 40,41]

The tests are collected once and run once, to note which functions of ``mlflow_eval_plugin/stats`` each calls and how
long it takes. Then each mutant is grafted onto the loaded module in a process forked for it, and met by the tests that
call its function, quickest file first; one of a module's top level by all that call anything in the module. Texts are
left alone. Prints the survivors and a line of counts for each module. On one core, some three mutants a second that are
noticed; a survivor has to meet every test that calls it. docs/mutants.md says why the known survivors are harmless.
"""

from __future__ import annotations

import argparse
import ast
import functools
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).parents[1]
STATS = ROOT / "mlflow_eval_plugin/stats"
PACKAGE = "mlflow_eval_plugin.stats"

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_PAIRS = (("min", "max"), ("minimum", "maximum"), ("fmin", "fmax"), ("any", "all"), ("argmin", "argmax"))
NAMES = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
UNWRAPPED = ("abs", "sqrt", "nan_to_num", "clip", "minimum", "maximum")
SYMMETRIC = ("min", "max", "minimum", "maximum", "fmin", "fmax", "hypot", "isinstance")
SKIPPED = ("annotation", "returns", "decorator_list", "bases")  # types, and how a class is made: no numbers


@dataclass(frozen=True)
class Mutant:
    """One small change; ``function`` is the first line of the function it is in, 0 at the top level."""

    line: int
    function: int
    change: str
    code: CodeType


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of the syntax tree."""
    tree = ast.parse(path.read_text())
    for parent, field, place, function in list(_places(tree, 0)):
        held = getattr(parent, field)
        node = held if place is None else held[place]
        for other in _variants(node):
            _put(parent, field, place, ast.copy_location(other, node))
            ast.fix_missing_locations(tree)
            change = f"{ast.unparse(node)}  ->  {ast.unparse(other)}"
            yield Mutant(node.lineno, function, change, compile(tree, str(path), "exec"))
        _put(parent, field, place, node)


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _places(node: ast.AST, function: int) -> Iterator[tuple[ast.AST, str, int | None, int]]:
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.FunctionDef) and not function:
        function = min(one.lineno for one in (node, *node.decorator_list))
    for field, held in ast.iter_fields(node):
        if field in SKIPPED:
            continue
        inside = 0 if field == "args" and isinstance(node, ast.FunctionDef) else function
        for place, child in enumerate(held) if isinstance(held, list) else [(None, held)]:
            if isinstance(child, ast.expr | ast.stmt):
                yield node, field, place, inside
            if isinstance(child, ast.AST):
                yield from _places(child, inside)


def _variants(node: ast.AST) -> Iterator[ast.AST]:  # noqa: PLR0912 (a table in all but its form)
    match node:
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(op)](), right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(OPERATORS[type(op)](), values)
        case ast.AugAssign(target, op, value) if type(op) in OPERATORS:
            yield ast.AugAssign(target, OPERATORS[type(op)](), value)
        case ast.Compare(left, ops, comparators):
            for place, op in enumerate(ops):
                yield ast.Compare(left, [*ops[:place], OPERATORS[type(op)](), *ops[place + 1 :]], comparators)
        case ast.UnaryOp(_, operand) if not isinstance(operand, ast.Constant):
            yield operand
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If(test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(float(value)):
            yield ast.Constant(value * 1.25 if value else 1.0)
        case ast.Expr(ast.Call()):
            yield ast.Pass()
        case ast.Return(value) if value is not None and ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Call():
            yield from _calls(node)


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    function, arguments = node.func, node.args
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in NAMES and isinstance(function, ast.Attribute):
        yield ast.Call(ast.Attribute(function.value, NAMES[name], ast.Load()), arguments, node.keywords)
    elif name in NAMES:
        yield ast.Call(ast.Name(NAMES[name], ast.Load()), arguments, node.keywords)
    if not arguments or any(isinstance(one, ast.Starred) for one in arguments):
        return
    if name in UNWRAPPED:
        yield arguments[0]
    if len(arguments) > 1 and name not in SYMMETRIC:
        first = 1 if name == "where" and len(arguments) == 3 else 0
        swapped = [*arguments[:first], arguments[first + 1], arguments[first], *arguments[first + 2 :]]
        if ast.unparse(arguments[first]) != ast.unparse(arguments[first + 1]):
            yield ast.Call(function, swapped, node.keywords)


Call = tuple[str, int]  # a module, and the first line of a function of it


class Recorder:
    """Which functions of the statistics each test calls, and the seconds that it takes."""

    def __init__(self, longest: float) -> None:
        self.calls: defaultdict[str, set[Call]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self._longest, self._owner = longest, ""

    def run(self, items: list[pytest.Item]) -> bool:
        """Whether all pass but those that take too long, which are broken off and left out."""
        passed = True
        signal.signal(signal.SIGALRM, self._break_off)
        for item, after in zip(items, [*items[1:], None], strict=True):
            # What a fixture calls counts for every test of the file, since they may share it.
            self._owner = _file(item)
            sys.settrace(self._trace)  # type: ignore[arg-type]
            threading.settrace(self._trace)  # type: ignore[arg-type]
            reports = runtestprotocol(item, log=False, nextitem=after)
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            seconds = sum(report.duration for report in reports)
            if seconds < self._longest:
                self.seconds[item.nodeid] = seconds
                passed = passed and not any(report.failed for report in reports)
        return passed

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """From here on it is the test itself that calls; only here can it be broken off, where pytest reports it."""
        self._owner = item.nodeid
        signal.setitimer(signal.ITIMER_REAL, self._longest)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _break_off(self, _signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    def _trace(self, frame: FrameType, _event: str, _argument: object) -> None:
        # None returned: lines do not matter.
        file = frame.f_code.co_filename
        if file.startswith(str(STATS)):
            self.calls[self._owner].add((_module(Path(file)), frame.f_code.co_firstlineno))


class Soak:
    """Meets mutants with tests, as a pytest plugin in place of its loop."""

    def __init__(self, modules: list[str], lines: set[int], longest: float, timeout: float) -> None:
        self.modules, self.lines, self.longest, self.timeout = modules, lines, longest, timeout
        self.items: list[pytest.Item] = []
        self.calls: dict[str, set[Call]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._record(session)
        print(f"{len(self.items)} of {len(session.items)} tests", flush=True)
        gc.freeze()  # the processes share what is loaded
        for name in self.modules:
            self._soak(name)
        return True

    def _record(self, session: pytest.Session) -> None:
        with tempfile.NamedTemporaryFile("r") as file:
            child = os.fork()
            if not child:
                recorder = Recorder(self.longest)
                session.config.pluginmanager.register(recorder)
                passed = recorder.run(session.items)
                calls = {one: sorted(called) for one, called in recorder.calls.items()}
                Path(file.name).write_text(json.dumps([recorder.seconds, calls]))
                os._exit(not passed)
            if os.waitpid(child, 0)[1]:
                pytest.exit("the tests fail without a mutant", 1)
            seconds, calls = json.load(file)
        found = {one: {(name, line) for name, line in called} for one, called in calls.items()}
        self.calls = {
            item.nodeid: found.get(item.nodeid, set()) | found.get(_file(item), set()) for item in session.items
        }
        items = [item for item in session.items if item.nodeid in seconds]
        # A file's tests stay together, so that they share its fixtures.
        slowest = {_file(item): seconds[item.nodeid] for item in sorted(items, key=lambda one: seconds[one.nodeid])}
        self.items = sorted(items, key=lambda one: (slowest[_file(one)], _file(one), seconds[one.nodeid]))

    def _soak(self, name: str) -> None:
        module, path = importlib.import_module(f"{PACKAGE}.{name}"), STATS / f"{name.replace('.', '/')}.py"
        unchanged = Mutant(0, 0, "", compile(path.read_text(), str(path), "exec"))
        if not self._survives(module, unchanged, self._concerned(name, 0)):
            pytest.exit(f"{name}: its tests fail with its own code grafted onto it", 1)
        count, alive, began = 0, 0, time.monotonic()
        for mutant in mutants(path):
            if self.lines and mutant.line not in self.lines:
                continue
            count += 1
            meeting = self._concerned(name, mutant.function)
            if not meeting or self._survives(module, mutant, meeting):
                alive += 1
                print(f"{name}.py:{mutant.line}: {mutant.change}{'' if meeting else '   (never called)'}", flush=True)
        seconds = time.monotonic() - began
        print(f"{name}: {count} mutants, {count - alive} killed, {alive} survivors; {seconds:.0f} s", flush=True)

    def _concerned(self, name: str, function: int) -> list[pytest.Item]:
        def calls(item: pytest.Item) -> bool:
            called = self.calls[item.nodeid]
            return (name, function) in called if function else any(one == name for one, _ in called)

        return [item for item in self.items if calls(item)]

    def _survives(self, module: ModuleType, mutant: Mutant, items: list[pytest.Item]) -> bool:
        child = os.fork()
        if not child:
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            os._exit(not _passes(module, mutant, items))
        end = time.monotonic() + self.timeout
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return False
            time.sleep(0.005)
        return ended[1] == 0


def _module(path: Path) -> str:
    """The dotted name of a file of the statistics, below their package."""
    return ".".join(path.relative_to(STATS).with_suffix("").parts)


def _file(item: pytest.Item) -> str:
    return item.nodeid.split("::")[0]


def _passes(module: ModuleType, mutant: Mutant, items: list[pytest.Item]) -> bool:
    try:
        graft(module, mutant)
    except Exception:  # noqa: BLE001 (a module that cannot be loaded is noticed, whatever ails it)
        return False
    for item, after in zip(items, [*items[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=after)):
            return False
    return True


def graft(module: ModuleType, mutant: Mutant) -> None:
    """Give a loaded module's functions the code of the mutant, wherever they are already imported."""
    changed = {"__name__": module.__name__, "__package__": module.__package__, "__file__": module.__file__}
    exec(mutant.code, changed)
    for name, new in changed.items():
        old = vars(module).get(name)
        if isinstance(new, type) and new.__module__ == module.__name__:
            _graft_class(old, new)
        elif _function(new) and getattr(new, "__module__", None) == module.__name__:
            _graft_function(_function(old), _function(new))
        elif not mutant.function and not name.startswith("__") and not isinstance(new, ModuleType | type):
            for other in list(sys.modules.values()):
                if getattr(other, "__dict__", {}).get(name) is old:
                    setattr(other, name, new)


def _graft_class(old: type, new: type) -> None:
    for name, member in vars(new).items():
        function = _function(member)
        if function is not None:
            _graft_function(_function(vars(old)[name]), function)
        elif isinstance(member, bool | int | float):
            setattr(old, name, member)


def _graft_function(old: FunctionType | None, new: FunctionType | None) -> None:
    if old is not None and new is not None and len(old.__code__.co_freevars) == len(new.__code__.co_freevars):
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def _function(member: object) -> FunctionType | None:
    """The function in a method, property or cache."""
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, functools.cached_property):
        member = member.func
    elif isinstance(member, classmethod | staticmethod):
        member = member.__func__
    member = getattr(member, "__wrapped__", member)
    return member if isinstance(member, FunctionType) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=sorted(map(_module, STATS.rglob("[a-z]*.py"))))
    parser.add_argument("--tests", nargs="+", default=["tests/stats", "tests/oracles"])
    parser.add_argument("--lines", default="", help="only the mutants of these lines, with commas")
    parser.add_argument("--longest", type=float, default=2.0, help="seconds; slower tests are left out")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds, after which a mutant counts as noticed")
    options = parser.parse_args()
    lines = {int(line) for line in options.lines.split(",") if line}
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    quiet = ["-s", "-q", "-W", "ignore", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
    quiet.append("--tb=native")  # pytest's own style fails where a test is broken off between two lines
    sys.exit(
        pytest.main([*quiet, *options.tests], plugins=[Soak(options.modules, lines, options.longest, options.timeout)])
    )


if __name__ == "__main__":
    main()
