"""What a person needs of a page, computed by the browser: contrast of texts, nothing beyond the right edge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["beyond_the_edge", "look_at", "too_faint"]

LEAST_CONTRAST = 4.5
"""Of a text and what is behind it, by WCAG 2.2, 1.4.3."""

_TOO_FAINT = """
const parsed = text => (text.match(/[\\d.]+/g) || []).map(Number);
const linear = one => (one /= 255) <= 0.04045 ? one / 12.92 : Math.pow((one + 0.055) / 1.055, 2.4);
const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
const over = ([r, g, b, a = 1], below) => [r, g, b].map((one, at) => one * a + below[at] * (1 - a));
function ground(node) {
  const own = parsed(getComputedStyle(node).backgroundColor);
  const alpha = own.length === 4 ? own[3] : 1;
  if (alpha === 1) { return own; }
  const below = node.parentElement ? ground(node.parentElement) : [255, 255, 255];
  return own.length ? over(own, below) : below;
}
const found = [];
for (const area of document.querySelectorAll(arguments[0])) {
  const texts = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || ["SCRIPT", "STYLE", "OPTION"].includes(node.tagName)
        || node.disabled) { continue; }
    const behind = ground(node), ink = over(parsed(getComputedStyle(node).color), behind);
    const [light, dark] = [luminance(ink), luminance(behind)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < arguments[1]) { found.push([text.data.trim().slice(0, 60), contrast]); }
  }
}
return found;
"""

_BEYOND_THE_EDGE = """
const edge = document.documentElement.clientWidth + 1, found = [];
function scrolls(node) {
  for (let one = node; one; one = one.parentElement) {
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(one).overflowX)
        && one.getBoundingClientRect().right <= edge) { return true; }
  }
  return false;
}
for (const node of document.querySelectorAll(arguments[0])) {
  const box = node.getBoundingClientRect();
  if (box.width && box.right > edge && !scrolls(node)) { found.push([node.outerHTML.slice(0, 80), box.right]); }
}
return found;
"""


def look_at(browser: Any, picture: Path, *, width: int, zoom: float = 1.0, dark: bool = False) -> None:
    """Give the page so many pixels across at a zoom, light or dark, and take a picture of all of it."""
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": round(width / zoom), "deviceScaleFactor": zoom, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "height": 900})
    height = min(9_000, int(browser.execute_script("return document.documentElement.scrollHeight")))
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "height": height})
    picture.parent.mkdir(exist_ok=True)
    browser.save_screenshot(str(picture))


def too_faint(browser: Any, areas: str) -> list[tuple[str, float]]:
    """Return the texts in parts of a page (a CSS selector) that are too faint to be read, and their contrast."""
    found: list[tuple[str, float]] = browser.execute_script(_TOO_FAINT, areas, LEAST_CONTRAST)
    return found


def beyond_the_edge(browser: Any, nodes: str) -> list[tuple[str, float]]:
    """Return what (a CSS selector) lies beyond the page's right edge and cannot be scrolled to."""
    found: list[tuple[str, float]] = browser.execute_script(_BEYOND_THE_EDGE, nodes)
    return found
