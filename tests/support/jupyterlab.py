"""JupyterLab in a headless Chromium, used the way a person uses it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from conftest import SECRETS, required
from support.browsers import started
from support.kernels import kernel_environment

__all__ = ["SCREENSHOTS", "Lab", "browser_in", "lab_in"]

PATIENCE = 180.0
"""Seconds after which the browser or the server counts as hanging."""

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"

QUIET = {"notification": {"fetchNews": "false", "checkForUpdates": False}}
"""Settings of JupyterLab's that keep its own notices out of the pictures."""

CELLS = """
const notebook = window.jupyterapp.shell.currentWidget.content;
return notebook.widgets.map(cell => ({
    id: cell.model.id,
    type: cell.model.type,
    count: cell.model.executionCount ?? null,
    running: cell.model.executionState === "running" || !!cell.node.querySelector(".jp-InputPrompt")
        ?.textContent.includes("*"),
    outputs: cell.model.outputs ? cell.model.outputs.toJSON() : [],
    widgets: Array.from(cell.node.querySelectorAll(".widget-html")).map(one => one.textContent),
    bars: Array.from(cell.node.querySelectorAll(".widget-hprogress .progress-bar")).map(one => one.style.width),
}));
"""


ACTIVATE = """
const notebook = window.jupyterapp.shell.currentWidget.content;
notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.model.id === arguments[0]);
"""

OPENED = """
const panel = window.jupyterapp?.shell?.currentWidget;
return panel?.context?.path === arguments[0]
    && !!panel?.content?.widgets?.length
    && panel.sessionContext?.session?.kernel?.status === "idle";
"""

CLOSE_OTHERS = """
const done = arguments[0];
const shell = window.jupyterapp.shell;
const others = Array.from(shell.widgets("main")).filter(one => one !== shell.currentWidget);
Promise.all(others.map(one => one.sessionContext?.shutdown())).finally(() => {
    others.forEach(one => one.dispose());
    done(null);
});
"""


class Lab:
    """A JupyterLab in a browser.

    Attributes
    ----------
    folder : Path
        Where the notebook lies that is open; its kernel works there.
    """

    def __init__(self, browser: Any, root: Path) -> None:
        self.browser = browser
        self._root = self.folder = root
        self._pictures = "lab"

    def open(self, notebook: Path) -> None:
        """Open a copy of a notebook, in a folder of its own; the kernel of the one before is shut down."""
        self._pictures = notebook.stem
        self.folder = self._root / notebook.stem
        self.folder.mkdir()
        shutil.copy(notebook, self.folder / notebook.name)
        path = f"{notebook.stem}/{notebook.name}"
        self.command("docmanager:open", path=path)
        self.until(lambda: self.browser.execute_script(OPENED, path), "the notebook is open and its kernel idle")
        self.browser.execute_async_script(CLOSE_OTHERS)

    def cells(self) -> list[dict[str, Any]]:
        """Return the cells as the front end has them: outputs, and the texts of the widgets on the page."""
        found: list[dict[str, Any]] = self.browser.execute_script(CELLS)
        return found

    def cell(self, name: str) -> dict[str, Any]:
        """Return one cell by its id."""
        return next(cell for cell in self.cells() if cell["id"] == name)

    def command(self, name: str, **arguments: str) -> None:
        """Do what a menu does."""
        self.browser.execute_script(
            "window.jupyterapp.commands.execute(...arguments); return null", name, arguments
        )

    def theme(self, name: str) -> None:
        """Make the page ``light`` or ``dark``."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name.title()}")
        wanted = str(name == "light").lower()
        self.until(
            lambda: (
                self.browser.execute_script("return document.body.dataset.jpThemeLight") == wanted
                and not self.browser.execute_script("return document.querySelector('.jp-Spinner, .jp-Dialog')")
            ),
            f"the page is {name}",
        )
        time.sleep(0.5)  # its style sheet is there; pictures are of what the page has settled to

    def press(self, cell: str, words: str) -> None:
        """Click a button among the outputs of a cell, with the mouse."""
        self.show(cell)
        buttons = self.browser.find_elements("css selector", ".jp-OutputArea .widget-button")
        next(button for button in buttons if button.text == words and button.is_displayed()).click()

    def show(self, name: str) -> None:
        """Scroll to a cell."""
        self.browser.execute_script(
            """
            const notebook = window.jupyterapp.shell.currentWidget.content;
            const cell = notebook.widgets.find(one => one.model.id === arguments[0]);
            cell.node.scrollIntoView({block: "start"});
            """,
            name,
        )
        time.sleep(0.5)  # pictures are of what the page has settled to; nothing is asserted on it

    def picture(self, name: str) -> Path:
        """Keep a screenshot."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{self._pictures}-{name}.png"
        self.browser.save_screenshot(str(path))
        return path

    def until(self, reached: Callable[[], Any], what: str) -> Any:
        """Wait until something can be seen."""
        end = time.monotonic() + PATIENCE
        while not (found := reached()):
            if time.monotonic() > end:
                self.picture("stuck")
                raise AssertionError(f"{what}: not after {PATIENCE:.0f} s, see {SCREENSHOTS}")
            time.sleep(0.1)
        return found

    def run_all(self, watch: Callable[[], object] = lambda: None) -> list[dict[str, Any]]:
        """Run all cells and return them when the last one has ended; ``watch`` looks at the page meanwhile."""
        code = [cell["id"] for cell in self.cells() if cell["type"] == "code"]
        self.command("notebook:run-all-cells")

        def ended() -> bool:
            watch()
            cells = {cell["id"]: cell for cell in self.cells()}
            errors = [one for cell in cells.values() for one in cell["outputs"] if one["output_type"] == "error"]
            assert not errors, errors  # the cells behind it never run
            return all(cells[name]["count"] is not None and not cells[name]["running"] for name in code)

        self.until(ended, "the last cell ended")
        return self.cells()

    def run_cells(self, *names: str) -> None:
        """Run some cells, one after the other."""
        for name in names:
            before = self.cell(name)["count"]
            self.browser.execute_script(ACTIVATE, name)
            self.command("notebook:run-cell")
            self.until(
                lambda name=name, before=before: (  # type: ignore[misc]
                    (cell := self.cell(name))["count"] not in (None, before) and not cell["running"]
                ),
                f"the cell {name} ended",
            )


@contextmanager
def lab_in(folder: Path) -> Iterator[Lab]:
    """Start a JupyterLab and look at it in a browser."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    required("chromium", chromium)
    required("chromedriver", driver)
    required("selenium", _importable("selenium"))
    required("jupyterlab", _importable("jupyterlab"))
    work = folder / "work"
    work.mkdir()
    with _server(folder, work) as (address, token), browser_in(str(chromium), str(driver), folder) as browser:
        lab = Lab(browser, work)
        browser.get(f"{address}lab?token={token}")
        lab.until(
            lambda: browser.execute_script("return !!window.jupyterapp?.shell?.currentWidget"),
            "the launcher is there",
        )
        lab.command("application:toggle-left-area")
        yield lab


def _importable(name: str) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec(name) is not None


def _widgets_front_end() -> Path:
    """Return where the front end of the widgets lies: not below ``sys.prefix`` where packages are shared."""
    found = distribution("jupyterlab_widgets")
    files = [file for file in found.files or () if file.name == "install.json"]
    required("the front end of jupyterlab_widgets", files)
    return Path(str(found.locate_file(files[0]))).resolve().parents[3]


def _without_secrets(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in SECRETS}


@contextmanager
def _server(folder: Path, work: Path) -> Iterator[tuple[str, str]]:
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    for name, values in QUIET.items():
        (settings / f"{name}.jupyterlab-settings").write_text(json.dumps(values))
    token = secrets.token_hex(16)
    own = {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "share"),
        "JUPYTER_PATH": str(_widgets_front_end()),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_TOKEN": token,
    }
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = ["-m", "jupyterlab", "--no-browser", "--port=0", f"--ServerApp.root_dir={work}"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, *command, "--expose-app-in-browser", *root],
            stdout=log,
            stderr=log,
            env={**_without_secrets(kernel_environment(folder)), **own},
        )
        try:
            yield _address(folder, server), token
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _address(folder: Path, server: subprocess.Popen[bytes]) -> str:
    """Wait until the server answers; it writes down which port it got."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            try:
                address = str(json.loads(file.read_text())["url"])
                with urlopen(f"{address}api", timeout=10):  # noqa: S310 - http on this machine
                    return address
            except (ValueError, URLError, ConnectionError):
                pass
        time.sleep(0.1)
    raise AssertionError((folder / "server.log").read_text())


@contextmanager
def browser_in(chromium: str, driver: str, folder: Path) -> Iterator[Any]:
    wanted = ("--headless=new", "--disable-dev-shm-usage", "--window-size=1280,1000")
    browser = started(driver, folder / "browser", *wanted, chromium=chromium, log=folder / "driver.log")
    browser.set_script_timeout(PATIENCE)  # 30 s are not enough on a busy machine to shut a kernel down
    try:
        yield browser
    finally:
        browser.quit()
