"""Count how programs' English words are put in Chinese (app/sparrow/knowledge/bilingual/terms.txt).

    python -m tests.knowledge.quality.train_terms WORK

WORK is a folder for about 0.6 GB of packages. The translations of programs (gettext catalogues of Debian packages that
are downloaded and never installed) are short and say the same: which words of theirs belong together is estimated by
counting, in both directions (IBM model 1). A general dictionary lacks or buries what manuals use: "directory" is 目录,
not 名录. What is shipped are pairs of words with their strength, none of the catalogues' texts.
"""

from __future__ import annotations

import gettext
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from sparrow.knowledge import bilingual, keyword

from . import train_texts

PACKAGES = """
libgtk-3-common libglib2.0-data gnome-control-center-data nautilus-data evolution-common gimp-data inkscape
libreoffice-l10n-zh-cn synaptic gparted-common util-linux-locales dpkg apt git vlc-l10n gnome-shell-common thunar-data
mate-control-center-common subversion postgresql-15 network-manager network-manager-gnome gnome-software-common
cups-common blueman audacity-data scribus-data gnucash-common darktable remmina-common virt-manager pavucontrol
xfce4-settings packagekit mousepad gnumeric-common abiword-common digikam-data calibre wireshark-common
transmission-common pidgin-data claws-mail-i18n stellarium-data gnome-boxes gnome-maps gnome-contacts shotwell-common
plasma-workspace-data freecad-common filezilla-common mate-panel-common caja-common pluma-common nemo-data
cinnamon-l10n xfburn xfdesktop4-data ghex glade planner dia-common homebank grisbi-common tellico-data kmymoney
kdenlive krita-l10n kwrite okular gwenview k3b-data ark bash coreutils diffutils findutils grep gawk sed tar wget
"""
WORDS, CHARACTERS = 8, 22  # longest texts that are counted: in longer ones words stand too far from each other
TIMES, LEAST = 4, 0.1  # a pair is kept from so many times and that strength on
ROUNDS = 5
_MARKS = re.compile(r"<[^>]+>|%[-\w()]+|\{[^}]*\}|\$\w+")


def catalogues(folder: Path) -> Iterable[Path]:
    """Download the packages that are not there yet, and yield the Chinese catalogues in them."""
    train_texts.fetch(folder, PACKAGES.split())
    for name in PACKAGES.split():
        yield from sorted(path for path in (folder / name).rglob("*.mo") if re.search("zh[_-]CN", str(path)))


def texts(paths: Iterable[Path]) -> dict[tuple[str, str], set[str]]:
    """Return {(English, Chinese): catalogues} of short texts, without marks of keys, variables and ends."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path in paths:
        try:
            with open(path, "rb") as file:
                entries = gettext.GNUTranslations(file)._catalog
        except (OSError, UnicodeDecodeError, ValueError):
            continue
        for key, value in entries.items():
            english = (key[0] if isinstance(key, tuple) else key).split("\x04")[-1]
            if english and isinstance(value, str) and len(english) <= 90 and "\n" not in english.strip():
                chinese = re.sub(r"[(（][_&~]?[A-Za-z0-9][)）]", "", value)
                english, chinese = (_MARKS.sub(" ", re.sub("[_&~]", "", text)) for text in (english, chinese))
                found[english.lower().strip(" .:…!?"), chinese.strip(" .:…：。！？")].add(path.stem)
    return found


def words(found: dict[tuple[str, str], set[str]]) -> tuple[list[tuple[list[str], list[str], int]], dict[str, str]]:
    """Return (stems, Chinese words, weight) of each text; and the usual spelling of each stem."""
    whole: Counter[str] = Counter()
    for (_, chinese), where in found.items():
        if re.fullmatch("[\u4e00-\u9fff]{2,4}", chinese):
            whole[chinese] += len(where)
    known: dict[str, bool] = {}

    def is_word(text: str) -> bool:
        if text not in known:
            known[text] = whole[text] >= 3 or bool(bilingual.look_up(text, bilingual.CHINESE))
        return known[text]

    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    out = []
    for (english, chinese), where in found.items():
        spelled = re.findall(r"[a-z][a-z0-9]+", english)
        runs = re.findall("[\u4e00-\u9fff]+", chinese)
        if not 1 <= len(spelled) <= WORDS or not 1 <= sum(map(len, runs)) <= CHARACTERS:
            continue
        stems: dict[str, None] = {}
        for word in spelled:
            stem = keyword.stem(word)
            spellings[stem][word] += 1
            if not keyword.is_stop_word(stem):
                stems[stem] = None
        parts: dict[str, None] = {}
        for run in runs:
            at = 0
            while at < len(run):
                size = next((size for size in range(min(4, len(run) - at), 1, -1) if is_word(run[at:at + size])), 0)
                if size:
                    parts[run[at:at + size]] = None
                at += size or 1
        if stems and parts:
            out.append((list(stems), list(parts), min(len(where), 4)))
    return out, {stem: spelled.most_common(1)[0][0] for stem, spelled in spellings.items()}


def estimate(rows: list[tuple[list[str], list[str], int]]) -> dict[tuple[str, str], float]:
    """Return {(word, other): likelihood} that a word of the first list is put as one of the second."""
    likely: dict[tuple[str, str], float] = {}
    for turn in range(ROUNDS):
        counts: dict[tuple[str, str], float] = defaultdict(float)
        totals: dict[str, float] = defaultdict(float)
        for ours, theirs, weight in rows:
            given = [*ours, ""]
            for other in theirs:
                shares = [likely.get((word, other), 1e-9) if turn else 1.0 for word in given]
                whole = sum(shares)
                for word, share in zip(given, shares, strict=True):
                    counts[word, other] += weight * share / whole
                    totals[word] += weight * share / whole
        likely = {pair: count / totals[pair[0]] for pair, count in counts.items() if count / totals[pair[0]] > 1e-3}
    return likely


def main() -> None:
    """Fetch, count and write the pairs, the strongest of a word first."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rows, spelling = words(texts(catalogues(folder)))
    print(len(rows), "texts", flush=True)
    there = estimate(rows)
    back = estimate([(chinese, english, weight) for english, chinese, weight in rows])
    times: Counter[tuple[str, str]] = Counter()
    for english, chinese, weight in rows:
        times.update({(one, other): weight for one in english for other in chinese})
    pairs = []
    for (one, other), count in times.items():
        strength = math.sqrt(there.get((one, other), 0.0) * back.get((other, one), 0.0))
        if count >= TIMES and strength >= LEAST:
            pairs.append((one, -round(strength * 100), other))
    lines = [f"{spelling[one]}\t{other}\t{-strength}\n" for one, strength, other in sorted(pairs)]
    (Path(bilingual.__file__).parent / "terms.txt").write_text("".join(lines), encoding="utf-8")
    print(len(lines), "pairs")


if __name__ == "__main__":
    main()
