"""A picture of a page, as README has one: picture.py PAGE PICTURE.png [WIDTH HEIGHT [dark]]."""

import sys

from browser import Browser, skip_without_browser

skip_without_browser()
page, picture, *rest = sys.argv[1:]
with Browser(*map(int, rest[:2]), dark="dark" in rest) as browser:
    browser.open(page)
    browser.screenshot(picture, whole=False)
