"""Detect the text encoding of an export: byte order mark, strict UTF-8, then gb18030, big5 and cp1252 by plausibility.

The legacy encodings are scored by the known headers and the common letters that they give. General detectors fail on
exports in GBK that are mostly ASCII.
"""

import codecs
import re
from collections.abc import Callable

from winprob.errors import InputError
from winprob.i18n import gettext

LEGACY = ("gb18030", "big5", "cp1252")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The score is computed on this number of characters outside ASCII.
_SAMPLE = 20_000
#: Lead bytes of the common characters and of punctuation, in GB 2312 and in Big5.
_COMMON_GB = (*range(0xA1, 0xA4), *range(0xB0, 0xD8))
_COMMON_BIG5 = range(0xA1, 0xC7)
#: Two readings whose scores differ by less are both possible.
_MARGIN = 0.1
_WESTERN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŒœŠšŽž€£¥§©®°·–—‘’“”…«»\xa0")
#: The commonest Chinese characters of general text, simplified and traditional, with those of company names, places,
#: surnames and sales: what tells GB 18030 from Big5 in a file of few letters.
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经"
    "么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知"
    "全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度"
    "门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务"
    "做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记"
    "南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔史商价客户赢单输款阶段华李刘陈杨黄赵吴周徐孙"
    "朱林郭罗郑梁谢宋唐冯曹彭曾肖田董袁潘蒋蔡余杜叶苏魏吕丁沈任姚卢姜崔钟谭陆汪范石廖贾夏付邹熊白孟秦江京津沪广深圳州杭成都武汉"
    "重庆湖河省苏浙川陕银医药团技有限公集股份软件网络云服贸易汽车能源钢铁化工程备注客负责经阶销售签约已赢未丢失跟进竞标采购预算项"
    "這個們來為國說時會對過發後裡種經當沒動還進樣從實軍無與長機業將兩間問並應戰頭體見產話給門兒東聲員論處義幾認條氣題爾別變總電數"
    "報結務場計資許統區隊決馬書則聽卻達強難權設類據邊張該規萬覺術領確傳師觀讓識帶導爭運筆價客戶贏單輸階華劉陳楊黃趙吳孫羅鄭謝馮"
    "蔣葉蘇呂盧鍾譚陸賈鄒臺灣廣漢慶銀醫藥團網絡雲貿車鋼鐵備註負責銷簽約預購項臺北新竹中高雄香港有限股份電子科技商企業台"
)


def has_mark(data: bytes) -> bool:
    """Whether ``data`` begins with a byte order mark."""
    return any(data.startswith(mark) for mark, _ in _MARKS)


def utf16_without_mark(data: bytes) -> str | None:
    """The encoding of UTF-16 without a byte order mark, by the zero byte of its plain letters; None where it is not."""
    even, odd = data[0:_SAMPLE:2], data[1:_SAMPLE:2]
    zeros = (even.count(0), odd.count(0))
    if len(data) % 2 or max(zeros) < 0.1 * len(even) or min(zeros) > 0.3 * max(zeros):
        return None
    encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    controls = sum(letter < " " and letter not in "\t\r\n" for letter in text[:_SAMPLE])
    return encoding if controls < 0.1 * len(text[:_SAMPLE]) and {"\n", "\r"} & set(text) else None


def decode(data: bytes, name: str, *, encoding: str | None, known: Callable[[str], bool]) -> tuple[str, str]:
    """The text in ``data`` and the encoding it was read in.

    Parameters
    ----------
    data : bytes
        A whole text file.
    name : str
        The file's name, for messages.
    encoding : str or None
        The user's choice; ``None`` for detection.
    known : callable
        Whether a header is one that is looked for.

    Raises
    ------
    InputError
        No encoding fits, or the one given does not.
    """
    if encoding is not None:
        return _decode_as(data, name, encoding), encoding
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return _decode_as(data, name, marked), marked
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as fault:
        _refuse_damaged_utf8(data, name, fault)
    return _best_legacy(data, name, known)


def _decode_as(data: bytes, name: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        raise InputError(
            gettext(
                "{name}: there is no text encoding {encoding}. Use utf-8, gb18030, big5 or cp1252.",
                name=name,
                encoding=repr(encoding),
            )
        ) from None
    except UnicodeError as fault:
        raise InputError(
            gettext(
                "{name} does not read as {encoding}: byte {start} does not fit. Omit the encoding, or give another.",
                name=name,
                encoding=encoding,
                start=getattr(fault, "start", 0),
            )
        ) from None


def _refuse_damaged_utf8(data: bytes, name: str, fault: UnicodeDecodeError) -> None:
    """Refuse text that is nearly all UTF-8: a damaged file rather than one in GBK."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    whole = sum(1 for letter in text if ord(letter) > 127) - broken
    if whole > 10 * broken:
        line = data.count(b"\n", 0, fault.start) + 1
        raise InputError(
            gettext(
                "{name} is UTF-8 but damaged: line {line} holds invalid bytes (cut short, or two encodings "
                "in one file). Export it again.",
                name=name,
                line=line,
            )
        )


def _best_legacy(data: bytes, name: str, known: Callable[[str], bool]) -> tuple[str, str]:
    scored: list[tuple[int, float, str, str]] = []
    for encoding in LEGACY:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        scored.append((_known_headers(text, known), _plausible(text, encoding), encoding, text))
    scored.sort(key=lambda item: item[:2], reverse=True)
    best = scored[0] if scored else None
    if best is None or (best[0] == 0 and best[1] < 0.25):
        raise InputError(
            gettext(
                "{name}: its text encoding is not recognised (tried UTF-8, GB 18030, Big5, Windows-1252). "
                "Save it as CSV UTF-8, or give the encoding with --encoding.",
                name=name,
            )
        )
    for second in scored[1:]:
        if second[0] == best[0] and second[1] > best[1] - _MARGIN:
            _refuse_ambiguous(name, best, second)
    return best[3], best[2]


def _refuse_ambiguous(name: str, one: tuple[int, float, str, str], other: tuple[int, float, str, str]) -> None:
    """Refuse a file of so few letters that two encodings give text that could be meant."""
    (_, _, first, text), (_, _, second, same) = one, other
    raise InputError(
        gettext(
            "{name}: its text encoding is ambiguous: {first} gives {text}, {second} gives {same}. "
            "Save it as CSV UTF-8, or give the encoding with --encoding.",
            name=name,
            first=first,
            text=repr(_letters(text)),
            second=second,
            same=repr(_letters(same)),
        )
    )


def _letters(text: str) -> str:
    """The first word with letters outside ASCII."""
    return next((word for word in re.split(r"[\s,;|\"]+", text) if not word.isascii()), "")[:20]


def _known_headers(text: str, known: Callable[[str], bool]) -> int:
    header = text.split("\n", 1)[0]
    for delimiter in ";\t|":
        header = header.replace(delimiter, ",")
    words = (word.strip().strip('"') for word in header.split(",")[:2000])
    return sum(1 for word in words if not word.isascii() and known(word))


def _plausible(text: str, encoding: str) -> float:
    """Share of the letters outside ASCII that are common in this encoding, averaged with the share of frequent ones."""
    spots = [index for index, letter in enumerate(text) if ord(letter) > 127][:_SAMPLE]
    good = sum(_is_common(text, index, encoding) for index in spots)
    frequent = good if encoding == "cp1252" else sum(text[index] in _FREQUENT for index in spots)
    return (good + frequent) / (2 * len(spots)) if spots else 1.0


def _is_common(text: str, index: int, encoding: str) -> bool:
    letter = text[index]
    if encoding == "cp1252":
        # Western accents occur singly among plain letters; Chinese decoded as Western comes in runs.
        neighbours = text[max(index - 1, 0) : index] + text[index + 1 : index + 2]
        return letter in _WESTERN and neighbours.isascii()
    charset, common = ("gb2312", _COMMON_GB) if encoding == "gb18030" else ("big5", _COMMON_BIG5)
    try:
        return letter.encode(charset)[0] in common
    except UnicodeEncodeError:
        return False
