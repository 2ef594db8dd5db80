"""The phone folds and searches names exactly as the server does."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rules.text import clean, fold, matches

SCRIPT = Path(__file__).parents[2] / "static" / "js" / "text.js"

TEXTS = [
    "Nguyễn Thị Hiền",
    "ĐẶNG VĂN ĐẠT",
    "Ðỗ Ɖức",
    "hoà hòa HOÀ",
    "Thuỷ Thủy khoẻ khỏe",
    "Nguye\u0302\u0303n  V\u00e2\u0323n\tA\n",
    "\u202eHi\u200bề\u00adn\u0000\ufeff",
    "a\u001cb\u0085c\u2028d\u00a0e\u3000f",
    "H’Hen Niê-Kđăm",
    "Ư Ơ Ă Â Ê Ô ư ơ ă â ê ô ậ ợ ự ẵ",
    "İstanbul ẞ Σας 李 😀",
    "a\u200b\u0301 \u0301 b",
    "",
    "   ",
]
QUERIES = ["hien", "Hiền", "h", "ng t h", "d v", "Đạt", "", " ", "ien", "hoà", "n k", "thuy khoe"]

PROGRAM = """
import { readFileSync } from "node:fs";
const { script, texts, queries } = JSON.parse(readFileSync(0, "utf8"));
const { clean, fold, matches } = await import(script);
const found = texts.map((text) => queries.map((query) => matches(query, fold(text))));
console.log(JSON.stringify({ clean: texts.map(clean), fold: texts.map(fold), found }));
"""


def test_the_script_cleans_folds_and_finds_like_python() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.fail("Node is needed to compare static/js/text.js with rules/text.py.")
    # Node takes a module by its name's ending or from a data address; the file ends in .js.
    source = "data:text/javascript;charset=utf-8," + _percent_encoded(SCRIPT.read_bytes())
    given = json.dumps({"script": source, "texts": TEXTS, "queries": QUERIES})
    run = subprocess.run(
        [node, "--input-type=module", "-e", PROGRAM],
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert json.loads(run.stdout) == {
        "clean": [clean(text) for text in TEXTS],
        "fold": [fold(text) for text in TEXTS],
        "found": [[matches(query, fold(text)) for query in QUERIES] for text in TEXTS],
    }


def _percent_encoded(content: bytes) -> str:
    return "".join(f"%{byte:02x}" for byte in content)
