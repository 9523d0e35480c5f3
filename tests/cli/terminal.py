"""terminal.py KEY TEXT COMMAND…: runs a command on a terminal of its own, 80 columns by 24 rows, as a person would: waits for
the first whole screen that shows the text too, makes the terminal 60 by 15, and ends it by the key. Prints both screens, and
says what is not as it should be."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

import pyte

key, text, command = sys.argv[1].encode().decode("unicode_escape").encode(), sys.argv[2], sys.argv[3:]
main, terminal = pty.openpty()


screen = pyte.Screen(80, 24)
stream = pyte.ByteStream(screen)


def size(columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read(seconds):
    if select.select([main], [], [], seconds)[0]:
        stream.feed(os.read(main, 65536))


def until(what, seconds=120):
    end = time.time() + seconds
    while not what():
        if time.time() > end:
            sys.exit("\n".join(screen.display) + "\nthis does not become what is waited for")
        read(0.1)


def is_drawn():
    return ", over " in screen.display[0]


def settle():
    """Until nothing has come for a while: a screen comes in pieces, and the next one a second later."""
    while select.select([main], [], [], 0.3)[0]:
        read(0)


def as_seen(title):
    print(f"--- {title}")
    print("\n".join(line.rstrip() for line in screen.display), flush=True)


size(80, 24)
before = termios.tcgetattr(terminal)
begin = time.time()
child = os.fork()
if not child:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(terminal, fd)
    os.environ["TERM"] = "xterm-256color"
    os.execvp(command[0], command)

until(lambda: is_drawn() and any(text in line for line in screen.display))
start = time.time() - begin
settle()
as_seen("80x24")
coloured = any(c.fg != "default" for row in screen.buffer.values() for c in row.values())
screen.resize(15, 60)
size(60, 15)
until(is_drawn)  # what there was before lost its first lines
settle()
as_seen("60x15")

begin = time.time()
os.write(main, key)
status = None
while status is None and time.time() < begin + 60:
    read(0.02)
    pid, code = os.waitpid(child, os.WNOHANG)
    if pid:
        status = os.waitstatus_to_exitcode(code)
took = time.time() - begin
settle()
as_seen("after the end")
print(f"status {status} coloured {coloured}", flush=True)
faults = []
if took > max(1.5, start):  # on a busy machine all takes long
    faults.append(f"took {took:.1f} s to end, {start:.1f} s to start")
if termios.tcgetattr(terminal) != before:
    faults.append("the terminal's modes are not what they were")
if pyte.modes.DECTCEM not in screen.mode:
    faults.append("the cursor is not seen any more")
if status is None:
    os.kill(child, 9)
sys.exit("; ".join(faults) or 0)
