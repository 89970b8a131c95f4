"""Manual pages as text, about as `man` writes them (troff itself never ends on some pages of manpages-zh)."""

from __future__ import annotations

import re

_NEW = re.compile("SH|SS|Sh|PP|LP|P|TP|IP|HP|Ip|Sp|sp|It")  # what follows begins after an empty line
# What only sets how a page looks, or is for an index.
_LOOKS = re.compile("ft|nf|fi|ad|na|nh|hy|ne|ta|in|ti|br|ll|pl|ce|so|nr|ds|tr|rm|IX|wh|ps|ns|rs|mk|rt|ev|PD|UC|AS|DT"
                    "|fam|po|bd|cs|ss|vs|lg|rn|di|da")
_JOINED = re.compile("BR|IR|RB|RI|BI|IB")
_CHARACTERS = {"co": "©", "aq": "'", "bu": "•", "bv": "|", "em": "—", "dq": '"', "lq": "“", "rq": "”", "->": "→",
               "hy": "-", "ti": "~", "ha": "^", "rs": "\\"}
_STRINGS = {'L"': '"', 'R"': '"', "--": "--", "C`": "`", "C'": "'", "Aq": "'", "lq": "“", "rq": "”", "C+": "C++"}
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|(\S+)')


def plain(roff: str) -> str:
    """Return a page's text: no definitions of macros, no fonts, the branch of conditions that is for terminals."""
    lines: list[str] = []
    skip: str | None = None  # what ends the part that is left out
    for line in roff.splitlines():
        if skip is not None:
            if line.strip() == skip or (skip == r"\}" and line.rstrip().endswith(skip)):
                skip = None
            continue
        line = line.removeprefix(".!'po4a'hide' ")
        if line.startswith(('.\\"', "'\\\"", "'''", ".\\}", "..")) or line.rstrip() in (".", "'br\\}"):
            continue
        request = re.match(r"[.']\s*([A-Za-z]{1,3})(?![A-Za-z])\s*(.*)", line)
        if line[:1] == "'" and request and request[1] != "br":
            request = None  # a quotation mark
        if request is None:
            if not line.startswith("."):
                lines.append(_text(line))
            continue
        name, rest = request[1], re.sub(r'\s*\\".*', "", request[2])
        if name in ("de", "am", "ig"):
            skip = ".."
        elif name in ("ie", "el", "if"):
            if rest.rstrip().endswith(("\\{\\", "\\{")) and not rest.startswith("n "):
                skip = r"\}"
        elif _NEW.fullmatch(name) or not _LOOKS.fullmatch(name):
            words = [(quoted or bare).replace('""', '"') for quoted, bare in _ARGUMENT.findall(rest)]
            if name == "TH":
                words = [f"{words[0]}({words[1]})"] if len(words) > 1 else words
            elif name in ("IP", "Ip", "HP", "sp"):
                words = words[:1] if name in ("IP", "Ip") else []
            elif words and all(re.fullmatch(r"[-+\d.]+[a-z]?", word) for word in words):
                words = []
            text = _text(("" if _JOINED.fullmatch(name) else " ").join(words))
            lines += ["", text] if _NEW.fullmatch(name) else [text] if text else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def _text(line: str) -> str:
    line = re.sub(r"\\f(?:\[\w*\]|\(..|.)|\\s[-+]?\d+|\\[hvwlL]'[^']*'|\\n(?:\(..|\[\w*\]|.)|\\[&|^/,c{}]|\\m\[\w*\]"
                  r"|\\u|\\d(?=\W|$)", "", line)
    line = re.sub(r"\\\*(?:\((..)|\[(\w*)\]|(.))", lambda m: _STRINGS.get(m[1] or m[2] or m[3], ""), line)
    line = re.sub(r"\\\((..)", lambda m: _CHARACTERS.get(m[1], ""), line)
    return re.sub(r"\\(.?)", lambda m: "\\" if m[1] == "e" else m[1], line)
