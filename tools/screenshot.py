"""Pictures for the documents, drawn by a browser without a window.
screenshot.py dashboard ADDRESS FILE: the eBPF menu of an agent's dashboard. (Chromium's own --screenshot takes a page that is
scrolled for an empty one.)
screenshot.py terminal FILE SECONDS COMMAND…: a terminal of 80 columns and 28 rows in which the command has run for so long."""
import html
import os
import pty
import select
import sys
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait


def browser(width, height):
    options = webdriver.ChromeOptions()
    for option in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking",
                   "hide-scrollbars", f"window-size={width},{height}", "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
        options.add_argument("--" + option)
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


def dashboard(address, picture):
    with browser(1280, 1240) as b:
        b.get(address)
        wait = WebDriverWait(b, 60)
        menu = wait.until(lambda b: b.find_element(By.ID, "menu_ebpf"))
        b.execute_script("arguments[0].scrollIntoView()", menu)
        wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "[id^=chart_ebpf_] canvas"))
        time.sleep(5)  # what is above may be drawn yet, and move it
        b.execute_script("arguments[0].scrollIntoView()", menu)
        time.sleep(5)
        b.save_screenshot(picture)


def terminal(picture, seconds, *command):
    import pyte

    columns, rows = 80, 28
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    child, main = pty.fork()
    if not child:
        os.environ["TERM"] = "xterm-256color"
        os.execvp("sh", ["sh", "-c", f'stty rows {rows} columns {columns}; exec "$@"', "sh", *command])
    end = time.time() + float(seconds)
    while time.time() < end:
        if select.select([main], [], [], 0.1)[0]:
            stream.feed(os.read(main, 65536))
    os.kill(child, 15)
    os.waitpid(child, 0)

    colours = {"default": "#ddd", "cyan": "#5cd", "blue": "#79c", "brown": "#dc5"}
    text = ""
    for row in range(rows):
        for column in range(columns):
            cell = screen.buffer[row][column]
            ink, paper = colours.get(cell.fg, "#ddd"), "#111"
            if cell.reverse:
                ink, paper = paper, ink
            text += f'<span style="color:{ink};background:{paper};font-weight:{700 if cell.bold else 400}">{html.escape(cell.data)}</span>'
        text += "\n"
    with tempfile.NamedTemporaryFile("w", suffix=".html") as page, browser(columns * 10, 900) as b:
        page.write(f'<meta charset=utf-8><body style="margin:0;background:#111"><pre style="margin:0;padding:12px 12px 18px;'
                   f'display:inline-block;font:15px/18px DejaVu Sans Mono,monospace">{text.rstrip()}</pre>')
        page.flush()
        b.get("file://" + page.name)
        b.find_element(By.TAG_NAME, "pre").screenshot(picture)


{"dashboard": dashboard, "terminal": terminal}[sys.argv[1]](*sys.argv[2:])
