"""What every test service promises: however the tests end, their server ends with them."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
# A shell in the background hands on that Ctrl-C is ignored, and the tests would, too.
AWAKE = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"


def ends_with_its_tests(hold, end):
    """Run *hold*, which starts a server and prints its process and its folder; end it by signal *end*, or by itself."""
    tests = subprocess.Popen(
        [sys.executable, "-c", AWAKE + hold],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pid, folder = tests.stdout.readline().split()
    server = os.pidfd_open(int(pid))
    try:
        if end is None:
            tests.stdin.close()
        else:
            tests.send_signal(end)
        # The descriptor of a process can be read once the process has ended.
        assert select.select([server], [], [], 30)[0]
        tests.wait(30)
    finally:
        os.close(server)
        tests.stdout.close()
        tests.stdin.close()
    if end != signal.SIGKILL:
        assert not Path(folder).exists()
