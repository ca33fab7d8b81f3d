"""`demo --console`: from the command to a browser that is logged in, once, to Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import httpx
import pytest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_demo_opens_the_console_for_one_visit_and_ends_with_ctrl_c() -> None:
    """The address logs the first browser in, and no second one; nothing is left when it ends."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "asr_daemon", "demo", "--console"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    try:
        printed, address = [], ""
        for line in demo.stdout:
            printed.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/enter/\S+", line):
                address = found[0]
                break
        assert address, "".join(printed)
        base = address.partition("/enter")[0]
        with httpx.Client(timeout=60) as browser, httpx.Client(timeout=60) as second:
            answer = browser.get(address)
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert "HttpOnly" in answer.headers["set-cookie"]
            assert browser.get(f"{base}/api/v1/me").json()["name"] == "demo"
            recordings = browser.get(f"{base}/api/v1/recordings").json()["recordings"]
            assert {each["inbox"] for each in recordings} == {"finance", "support", "lectures", "interviews"}
            for word in (address, f"{base}/enter/x", f"{base}/enter/"):
                assert second.get(word).status_code == 404
            assert second.get(f"{base}/api/v1/me").status_code == 401
        demo.send_signal(signal.SIGINT)
        assert demo.wait(90) == 0, demo.stdout.read()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{base}/api/v1/me")
    finally:
        demo.kill()
        demo.wait()
