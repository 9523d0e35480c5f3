"""Runs a command on a terminal of its own, 80 columns by 24 rows, as a person would: waits for the first whole screen, makes
the terminal 60 by 15, and ends it by the key that is given. Prints both screens, and says what is not as it should be."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

import pyte

key, command = sys.argv[1].encode().decode("unicode_escape").encode(), sys.argv[2:]
main, terminal = pty.openpty()


screen = pyte.Screen(80, 24)
stream = pyte.ByteStream(screen)


def size(columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read(seconds):
    if select.select([main], [], [], seconds)[0]:
        stream.feed(os.read(main, 65536))


def until(what, seconds=20):
    end = time.time() + seconds
    while not what():
        if time.time() > end:
            sys.exit("\n".join(screen.display) + "\nthis does not become what is waited for")
        read(0.1)


def shows(text):
    return any(text in line for line in screen.display)


def settle():
    end = time.time() + 0.5
    while time.time() < end:
        read(0.1)


def as_seen(title):
    print(f"--- {title}")
    print("\n".join(line.rstrip() for line in screen.display), flush=True)


size(80, 24)
before = termios.tcgetattr(terminal)
child = os.fork()
if not child:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(terminal, fd)
    os.environ["TERM"] = "xterm-256color"
    os.execvp(command[0], command)

until(lambda: shows(", over "))
settle()
as_seen("80x24")
coloured = any(c.fg != "default" for row in screen.buffer.values() for c in row.values())
screen.resize(15, 60)
size(60, 15)
settle()
until(lambda: shows(", over "))
as_seen("60x15")

begin = time.time()
os.write(main, key)
status = None
while status is None and time.time() < begin + 5:
    read(0.02)
    pid, code = os.waitpid(child, os.WNOHANG)
    if pid:
        status = os.waitstatus_to_exitcode(code)
took = time.time() - begin
settle()
as_seen("after the end")
print(f"status {status} coloured {coloured}", flush=True)
faults = []
if took > 1.5:
    faults.append(f"took {took:.1f} s to end")
if termios.tcgetattr(terminal) != before:
    faults.append("the terminal's modes are not what they were")
if pyte.modes.DECTCEM not in screen.mode:
    faults.append("the cursor is not seen any more")
if status is None:
    os.kill(child, 9)
sys.exit("; ".join(faults) or 0)
