"""Build the documentation site: ``python docs/build.py`` writes ``docs/_site``, without the network.

pip install -e ".[docs]" && python docs/build.py [FOLDER]
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "_site"
PAGES = ROOT / "docs" / "site"
ORDER = [
    "index.md",
    "first_hour.md",
    "vendor.md",
    *("howto/excel.md", "howto/design.md", "howto/key.md", "howto/carefully.md", "howto/runs.md"),
    *("howto/review.md", "howto/verify.md", "howto/mail.md", "howto/combine.md", "howto/nightly.md"),
    *("howto/web_handler.md", "howto/machines.md", "howto/move.md", "howto/notebooks.md", "howto/proxies.md"),
    *("howto/testing.md",),
    *("reference/outcomes.md", "reference/decisions.md", "reference/comparison.md"),
    *("ja/index.md", "ja/outcomes.md"),
]
"""Pages in the order in which they are read; ``llms-full.txt`` holds them one after the other."""


def main(site: Path = SITE) -> int:
    """Build the site; warnings are errors."""
    from sphinx.cmd.build import main as sphinx  # noqa: PLC0415 - an extra

    shutil.rmtree(site, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        shutil.copytree(PAGES, source)
        for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
            shutil.copy(notebook, source / "notebooks" / notebook.name)
        shutil.copytree(
            ROOT / "examples", source / "examples", ignore=shutil.ignore_patterns("*.md", "__pycache__")
        )
        (source / "pictures").mkdir()
        for picture in sorted((ROOT / "docs").glob("*.png")):
            shutil.copy(picture, source / "pictures" / picture.name)
        code = int(sphinx(["-W", "--keep-going", "-q", "-b", "html", str(source), str(site)]))
    if code:
        return code
    (site / "llms.txt").write_text(_index(), encoding="utf-8")
    (site / "llms-full.txt").write_text("\n\n".join(_whole(page) for page in ORDER), encoding="utf-8")
    return 0


INCLUDED = re.compile(r"^```\{literalinclude\} \.\./examples/(\S+)\n(?::.*\n)*```$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _whole(page: str) -> str:
    """Return a page with the examples that it shows."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return INCLUDED.sub(
        lambda found: f"```\n{(ROOT / 'examples' / found[1]).read_text(encoding='utf-8')}```", text
    )


def _index() -> str:
    """Return the pages with what each is about, as language models look for it."""
    lines = ["# reportflow-pandas", "", "> One row, one PDF: Report Flow documents from a pandas DataFrame.", ""]
    for page in ORDER:
        text = (PAGES / page).read_text(encoding="utf-8")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        first = next(
            (
                part
                for part in re.split(r"\n\s*\n", CODE.sub("", text))
                if part and not part.startswith(("#", ":", "`", "|"))
            ),
            "",
        )
        lines.append(
            f"- [{title[1] if title else page}]({page.removesuffix('.md')}.html): {' '.join(first.split())}"
        )
    return "\n".join([*lines, "", "- [All pages in one text](llms-full.txt)", ""])


if __name__ == "__main__":
    sys.exit(main(*(Path(word) for word in sys.argv[1:])))
