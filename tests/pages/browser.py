"""A page in a real browser: Chromium without a window, spoken to over its DevTools protocol (https://chromedevtools.github.io).

    with Browser() as browser:
        browser.open("runs/mine/report.html")
        browser.key("Tab")
        assert browser.evaluate("document.activeElement.id") == "loss"
        assert browser.console_errors() == []

Messages go through a pair of pipes, so that nothing but Python's own library is needed and no port is taken.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

SKIPPED = 77  # the exit code of a test that could not be made
KEYS = {  # DevTools wants the code and, where a key makes text, the text
    "Enter": (13, "\r"),
    " ": (32, " "),
    "Tab": (9, None),
    "Escape": (27, None),
    "End": (35, None),
    "Home": (36, None),
    "PageUp": (33, None),
    "PageDown": (34, None),
    "ArrowLeft": (37, None),
    "ArrowUp": (38, None),
    "ArrowRight": (39, None),
    "ArrowDown": (40, None),
}


def find():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def skip_without_browser():
    """Ends a test script, with a message, where no browser is installed."""
    if not find():
        print("no chromium is installed: the page is not tried in a browser (jobs/setup.sh --checks installs it)")
        raise SystemExit(SKIPPED)


class Browser:
    """A browser with one page.  `dark`: the colour scheme that the page is asked for; `scripts`: False turns JavaScript off."""

    def __init__(self, width=1100, height=900, dark=False, scripts=True, timeout=30):
        self.timeout, self.events, self.number, self.buffer = timeout, [], 0, b""
        self.folder = tempfile.mkdtemp(prefix="heed-browser-")
        commands, self.sink = os.pipe()
        self.source, answers = os.pipe()
        # The child finds its ends at 3 and 4, whatever numbers they have here.
        launch = 'exec 3<&"$0" 4>&"$1"; shift; exec "$@"'
        command = ["bash", "-c", launch, str(commands), str(answers), find(), "--headless=new", "--remote-debugging-pipe"]
        command += [f"--user-data-dir={self.folder}", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
        command += ["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]
        if os.geteuid() == 0:  # in a container
            command.append("--no-sandbox")
        self.process = subprocess.Popen(command + ["about:blank"], pass_fds=(commands, answers), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        try:
            self.session = None
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.resize(width, height)
            self.scheme(dark)
            self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the browser, which does so by itself when nobody speaks to it any more."""
        for end in (self.sink, self.source):
            os.close(end)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for _ in range(50):  # its helpers write a moment longer
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                break
            time.sleep(0.1)

    def open(self, path):
        """Opens a file (or an address) and waits until it is loaded.  What an earlier page said is forgotten."""
        address = path if "://" in str(path) else Path(path).resolve().as_uri()
        self.events = []
        self.call("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")

    def evaluate(self, script):
        """The value of a JavaScript expression; a promise is waited for.  What it throws is an error here."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def key(self, name, shift=False):
        """Presses a key by its name in KEYS, or one that makes a letter."""
        code, text = KEYS.get(name, (ord(name[0].upper()), name))
        about = {"key": name, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        if len(name) > 1:
            about["code"] = name
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector):
        """Clicks into the middle of the first element that a CSS selector finds."""
        x, y = self.point(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector, across=0.5, down=0.5):
        """Moves the mouse over an element, to a share of its width and height."""
        x, y = self.point(selector, across, down)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def point(self, selector, across=0.5, down=0.5):
        """Where an element is in the window, once it is scrolled into it."""
        box = self.evaluate(f"""(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;
            e.scrollIntoView({{block: "nearest", behavior: "instant"}}); const b = e.getBoundingClientRect();
            return [b.x, b.y, b.width, b.height]; }})()""")
        if not box:
            raise LookupError(f"no element matches {selector}")
        return box[0] + across * box[2], box[1] + down * box[3]

    def resize(self, width, height, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def scheme(self, dark):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path, whole=True):
        """A PNG of the whole page, or of what the window shows."""
        options = {"captureBeyondViewport": whole}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", **options)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def console_errors(self):
        """What went wrong on the page since it was opened: uncaught exceptions, console.error, what the browser complains of."""
        self.take_events()
        errors = []
        for event in self.events:
            about = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                details = about["exceptionDetails"]
                errors.append(details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
                errors.append(" ".join(str(a.get("value", a.get("description"))) for a in about["args"]))
            elif event["method"] == "Log.entryAdded" and about["entry"]["level"] == "error":
                errors.append(about["entry"]["text"])
        return errors

    def requests(self):
        """The addresses that the page asked for; one that is self-contained has its own alone."""
        self.take_events()
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"]

    def call(self, method, **parameters):
        """One command of the protocol and its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.sink, data) :]
        number, end = self.number, time.monotonic() + self.timeout
        while True:
            answer = self.receive(end, method)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def wait_for(self, method):
        end = time.monotonic() + self.timeout
        while not any(event["method"] == method for event in self.events):
            self.receive(end, method)

    def take_events(self):
        """An answer comes after all that happened before it was asked for."""
        self.call("Runtime.evaluate", expression="0")

    def receive(self, end, what):
        """The next message; events are kept."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.source], [], [], max(0, end - time.monotonic()))
            data = os.read(self.source, 1 << 20) if ready else None
            if not data:
                raise TimeoutError(f"{what}: {'the browser ended' if ready else f'no answer within {self.timeout} s'}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message
