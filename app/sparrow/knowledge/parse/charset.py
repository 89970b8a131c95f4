"""Tell the character set of a text file: the byte order mark, UTF-8 if it fits, else what chardet says.

Where it is not sure the text is short: then Chinese, Japanese, Korean and Russian are told by their most frequent
characters, and a few signs among English words are taken for Western ones.
"""

from __future__ import annotations

import re
import unicodedata

_SAMPLE = 256 * 1024
# The most frequent characters of Chinese running text, simplified and traditional forms.
_COMMON = frozenset(
    "的一是不了在人有我他这这個中大来來上国國个到说說们們为為子和你地出道也时時年得就那要下以生会會自着去之过過家学學"
    "对對可她里裡后後小么麼心多天而能好都然没沒日于於起还還发發成事只作当當想看文无無开開手十用主行方又如前所本见見经經"
    "头頭面公同三已老从從动動两兩长長知民样樣现現分将將外但身些与與高意进進把法此实實回二理美点點月明其种種声聲全工己"
    "话話儿兒者向情部正名定女问問力机機给給等几幾很业業最间間新什打便位因重被走电電四第门門相次东東政海口使教西再平真"
    "请請设設置安装裝系统統文件系統软軟硬使用操作说明說明错誤誤器数數据據网網络絡号號信息资資")
# The most frequent syllables of Korean; others count little, for short Chinese texts are hangul under EUC-KR too.
_HANGUL = frozenset("이다는을를에의가은고하지로한도그나사기리자어아시대해서인수라여있게과들만일정보전주제안상부할세문")
_GB = frozenset(("gb2312", "gb231280", "gbk", "xgbk", "cp936", "ms936", "windows936", "euccn"))
# The most frequent letters of Russian, Ukrainian and Bulgarian: in capitals that are small ones under another character
# set they are not so many.
_CYRILLIC = frozenset("оеаинтсрвлОЕАИНТСРВЛ")
_FREQUENT = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1251", "koi8_r")
# What text files are written in. chardet knows more, of old Macs and DOS, for which it takes short texts.
_CANDIDATES = (
    "utf-8", "gb18030", "big5hkscs", "cp932", "shift_jis_2004", "euc_jis_2004", "cp949", "cp866", "cp874", "tis-620",
    *(f"cp125{number}" for number in range(9)), *(f"iso8859-{number}" for number in (1, 2, 5, 7, 9)),
    "koi8-r", "koi8-u")
# The same characters and more: what chardet has not seen may have those.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949", "big5": "big5hkscs",
          "iso-8859-1": "cp1252", "ascii": "cp1252"}
_READ = 4096  # bytes of the lines that are not ASCII
_JUDGED = 20_000  # characters
_SURE = 0.3  # chardet's confidence from which its answer counts
_NOISE = 0.08  # random bytes reach 0.06, sixty letters of a language 0.1
_HARDLY = 0.05  # below which it is a guess among all that are spelt with Latin letters
_ALIKE = 0.6  # the likeness from which bytes are a language's
_FEW = 0.02  # the part of signs that are not ASCII in an English text


def detect(data: bytes) -> str:
    """Return a Python codec name for the bytes of a text file (the first 256 KB decide)."""
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = data[:_SAMPLE]
    wide = _utf16(sample)
    if wide:
        return wide
    if b"\x1b$" in sample and max(sample) < 0x80:
        return "iso2022_jp"
    if _is_utf8(sample, cut=len(data) > len(sample)) or _is_damaged_utf8(sample):
        return "utf-8"
    return _guess(sample) or "cp1252"


def decode(data: bytes) -> str:
    """Return the text of a file's bytes, its line ends as \\n; undecodable bytes become U+FFFD."""
    text = data.decode(detect(data), errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")


def codec(declared: str) -> str:
    """Return the codec for a declared name: what says to be GB 2312 is mostly written in its larger successors."""
    return "gb18030" if declared.strip().lower().replace("_", "").replace("-", "") in _GB else declared.strip()


def looks_binary(data: bytes) -> bool:
    """Tell whether bytes are no text in any character set known here."""
    sample = data[:65536]
    if not sample or data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or _utf16(sample):
        return False
    control = sum(sample.count(bytes([code])) for code in range(32) if code not in (9, 10, 12, 13, 27))
    return control > len(sample) * 0.01


def looks_garbled(data: bytes) -> bool:
    """Tell whether bytes without the marks of a binary file make no sense under the best character set either."""
    sample = data[:_SAMPLE]
    name = detect(sample)
    text = sample.decode(name, errors="replace")
    if name.startswith("utf"):
        # Random UTF-16 falls on what no text has; a file may end inside a character.
        strange = sum(unicodedata.category(char) in ("Cn", "Co", "Cs") or char == "\ufffd" for char in text[:-1])
        return strange > len(text) * 0.05
    return name != "iso2022_jp" and _guess(sample) is None


def _guess(sample: bytes) -> str | None:
    """Return the codec under which the bytes are a language, None if they are none under any."""
    import chardet

    lines = b"\n".join(line for line in re.split(rb"[\r\n]+", sample) if not line.isascii())[:_READ] or sample[:_READ]
    lines = b"\n" + lines  # or a text that begins with "BM" is a picture
    found = {entry["encoding"]: entry["confidence"] for entry in chardet.detect_all(
        lines, ignore_threshold=True, include_encodings=_CANDIDATES)}
    name = next(iter(found))
    if name is None or found[name] < _SURE:
        likeness, best = max((_likeness(lines, codec), codec) for codec in _FREQUENT)
        if likeness > _ALIKE:
            return best
        foreign = sum(byte >= 0x80 for byte in lines)
        if foreign >= max(64, len(lines) // 5) and found[name] < _NOISE:
            return None
        few = foreign <= max(1, len(lines) * _FEW)
        if name and (few or (found[name] < _HARDLY and found.get("Windows-1252", 0.0) > found[name] * 0.75)):
            return "cp1252"
    return name and _WIDER.get(name.lower(), name)


def _is_utf8(sample: bytes, *, cut: bool) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        # The sample may end inside a character.
        return cut and error.start >= len(sample) - 3
    return True


def _is_damaged_utf8(sample: bytes) -> bool:
    """Tell whether hardly anything contradicts UTF-8: a log that was cut inside a character, bytes of another file."""
    text = sample.decode("utf-8", errors="replace")
    foreign = sum(char >= "\x80" for char in text)
    return text.count("\ufffd") * 10 < foreign


def _utf16(sample: bytes) -> str | None:
    if len(sample) < 8:
        return None
    half = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > half * 0.3 and even < half * 0.02:
        return "utf-16-le"
    if even > half * 0.3 and odd < half * 0.02:
        return "utf-16-be"
    # Chinese has few zero bytes; its high bytes fall into 0x4E..0x9F, its line ends are 0x0A 0x00.
    if (sample[1::2].count(0) > 0 or sample[0::2].count(0) > 0) and not _is_utf8(sample, cut=True):
        scores = {name: _likeness(sample[:half * 2], name) for name in ("utf-16-le", "utf-16-be")}
        best = max(scores, key=scores.__getitem__)
        if scores[best] > 0.1:
            return best
    return None


def _likeness(sample: bytes, codec: str) -> float:
    """Return how much the bytes look like one of the languages of `_FREQUENT`, per character that is not ASCII."""
    score, count = 0.0, 0
    before = ""
    for char in sample.decode(codec, errors="replace")[:_JUDGED]:
        code, last, before = ord(char), before, char
        if code < 0x80:
            if code < 32 and char not in "\t\n\r\f":
                score -= 2
            continue
        count += 1
        if char == "\ufffd":
            score -= 5
        elif 0xE000 <= code <= 0xF8FF or code < 0xA0:
            score -= 3
        elif char in _COMMON:
            score += 2
        elif 0x3041 <= code <= 0x30FE:
            score += 1 if codec in ("shift_jis", "euc_jp") else -0.5
        elif 0xFF61 <= code <= 0xFF9F:
            score -= 1  # half-width kana: what Shift-JIS makes of other encodings
        elif 0xAC00 <= code <= 0xD7A3:
            score += 2 if char in _HANGUL else 0.05
        elif char in "，。、：；“”（）！？《》":
            score += 1
        elif 0x410 <= code <= 0x44F:
            # No word is half Latin, half Cyrillic, nor has a capital after a small letter.
            odd = (last.isascii() and last.isalpha()) or (code < 0x430 and "а" <= last <= "я")
            score += -0.5 if odd else 0.7 if char in _CYRILLIC else 0.4
        elif 0x4E00 <= code <= 0x9FFF:
            score += 0.1
        else:
            score -= 0.3
    return score / max(count, 1)
