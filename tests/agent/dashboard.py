"""What the agent's dashboard shows, read from the page on standard input as a browser has made it.

A line for each menu and submenu (`menu ebpf`, `submenu ebpf VFS`), and one for each of its charts that is drawn:
`chart ID DIMENSION=VALUE…`, the values as the legend has them.
"""
import html
import re
import sys

page = sys.stdin.read()
for name in sorted(set(re.findall(r'id="menu_([^"]*)"', page))):
    menu, submenu, part = name.partition("_submenu_")
    print(f"submenu {menu} {part}" if submenu else f"menu {menu}")
for segment in re.split(r'(?=id="chart_[^"]*" data-netdata=")', page)[1:]:
    identity = re.search(r'data-netdata="([^"]*)"', segment)[1]
    legend = re.findall(r'DimensionLabel[^>]*>([^<]*)<.*?DimensionValue[^>]*>([^<]*)<', segment, re.S)
    if "<canvas" in segment and legend:
        print("chart", identity, *(f"{html.unescape(label)}={value}" for label, value in legend))
