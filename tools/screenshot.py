"""screenshot.py ADDRESS FILE: the eBPF menu of a dashboard, drawn, as a picture. (Chromium's own --screenshot takes a page that
is scrolled for an empty one.)"""
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

address, picture = sys.argv[1:]
options = webdriver.ChromeOptions()
for option in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking",
               "hide-scrollbars", "window-size=1280,1240", "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
    options.add_argument("--" + option)
browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
try:
    browser.get(address)
    wait = WebDriverWait(browser, 60)
    menu = wait.until(lambda b: b.find_element(By.ID, "menu_ebpf"))
    browser.execute_script("arguments[0].scrollIntoView()", menu)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "[id^=chart_ebpf_] canvas"))
    time.sleep(5)  # what is above may be drawn yet, and move it
    browser.execute_script("arguments[0].scrollIntoView()", menu)
    time.sleep(5)
    browser.save_screenshot(picture)
finally:
    browser.quit()
