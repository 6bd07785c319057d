"""hwm_ros runs on Humble to Lyrical: what differs between the distributions is in one module. Nothing is imported."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ONE_PLACE = ROOT / "hwm_ros" / "distributions.py"
SOURCES = sorted([*(ROOT / "hwm_ros").glob("*.py"), *(ROOT / "launch").glob("*.py")])

# Names of rclpy that are in Humble, Jazzy and Rolling alike (looked up in the sources of each branch). Look up a name
# before you add it here; what differs belongs in hwm_ros/distributions.py.
IN_ALL = {
    "rclpy.action": {"ActionClient"},
    "rclpy.action.server": {"ActionServer", "CancelResponse", "GoalResponse", "ServerGoalHandle"},
    "rclpy.callback_groups": {"CallbackGroup", "ReentrantCallbackGroup"},
    "rclpy.clock": {"Clock", "ClockType", "JumpThreshold", "TimeJump"},
    "rclpy.duration": {"Duration"},
    "rclpy.exceptions": {"ParameterException"},
    "rclpy.executors": {"ExternalShutdownException", "SingleThreadedExecutor"},
    "rclpy.lifecycle": {"LifecycleNode", "LifecycleState", "TransitionCallbackReturn"},
    "rclpy.node": {"Node"},
    "rclpy.parameter": {"Parameter"},
    "rclpy.publisher": {"Publisher"},
    "rclpy.qos": {
        "DurabilityPolicy",
        "HistoryPolicy",
        "QoSPolicyKind",
        "QoSProfile",
        "ReliabilityPolicy",
        "qos_policy_name_from_kind",
    },
    "rclpy.qos_overriding_options": {"QoSOverridingOptions"},
    "rclpy.signals": {"SignalHandlerOptions"},
    "rclpy.subscription": {"Subscription"},
    "rclpy.task": {"Future"},
    "rclpy.timer": {"Timer"},
}


def imported(path: Path) -> set[tuple[str, str]]:
    """(module, name) of everything that a file imports from rclpy by name."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {
        (node.module or "", alias.name)
        for node in nodes
        for alias in node.names
        if (node.module or "").split(".")[0] == "rclpy"
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_only_one_module_asks_which_distribution_it_runs_on(path: Path) -> None:
    text = path.read_text()
    asked = re.findall(r"ROS_DISTRO|ROS_LOCALHOST_ONLY|ROS_AUTOMATIC_DISCOVERY_RANGE|DEFAULT_PROFILES_FILE", text)
    asked += re.findall(r"hasattr\((?:node|self|Node|Subscription|Publisher|rclpy)\b", text)
    guarded = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Try)]
    asked += [name for node in guarded for one in node.body for name in rclpy_modules(one)]
    assert bool(asked) == (path == ONE_PLACE), asked


def rclpy_modules(statement: ast.stmt) -> list[str]:
    module = statement.module if isinstance(statement, ast.ImportFrom) else ""
    return [module] if module and module.startswith(("rclpy", "launch")) else []


@pytest.mark.parametrize("path", [path for path in SOURCES if path != ONE_PLACE], ids=lambda path: path.name)
def test_every_name_of_rclpy_exists_in_all_distributions(path: Path) -> None:
    unknown = {(module, name) for module, name in imported(path) if name not in IN_ALL.get(module, set())}
    assert not unknown, "look the names up in the sources of Humble, then add them to IN_ALL"


def test_the_module_of_differences_guards_what_is_not_in_all_of_them() -> None:
    others = {(module, name) for module, name in imported(ONE_PLACE) if name not in IN_ALL.get(module, set())}
    callbacks = ("PublisherEventCallbacks", "SubscriptionEventCallbacks")
    assert others == {(f"rclpy.{module}", name) for module in ("event_handler", "qos_event") for name in callbacks}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_syntax_is_that_of_python_3_10(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 10))


def test_nothing_is_called_that_humble_lacks() -> None:
    lacking = re.compile(r"with rclpy\.init|EventsExecutor|LifecycleTransition\b")
    assert not [path.name for path in SOURCES if path != ONE_PLACE and lacking.search(code_of(path))]


def code_of(path: Path) -> str:
    """A file without its comments and docstrings."""
    return ast.unparse(ast.parse(re.sub(r'"""[\s\S]*?"""', '""', path.read_text())))
