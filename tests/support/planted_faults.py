"""Documents with faults put into them on purpose: rows for every design, and what is printed in their place."""

from __future__ import annotations

import copy
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pikepdf

import reportflow_pandas as rf
from reportflow_pandas.local.compiler import render
from reportflow_pandas.local.designs import DesignVersion, load_designs, packaged_designs
from tests.support import office_order, web_itinerary, web_letter

Params = dict[str, Any]

OWN_DESIGNS = Path(__file__).parent / "verify_designs"
CREATED = datetime(2026, 11, 1, tzinfo=UTC)

FIRST = [
    "Ingrid",
    "Marek",
    "Leonie",
    "Ana",
    "Tomás",
    "Yusuf",
    "Chloé",
    "Ödön",
    "Šárka",
    "Bjørn",
    "Nils",
    "Maja",
    "Ivo",
    "Greta",
    "Hugo",
    "Zoë",
    "Aylin",
    "Pär",
]
LAST = [
    "Sørensen",
    "Zieliński",
    "Köhler",
    "García",
    "Novák",
    "Demir",
    "Dubois",
    "Kovács",
    "Dvořák",
    "Lund",
    "Berg",
    "Weiß",
    "Rossi",
    "Silva",
    "Müller",
]
STREETS = [
    "Havnegata",
    "Lindenweg",
    "Rua",
    "Nova",
    "Hauptstraße",
    "Dlouhá",
    "Via",
    "Roma",
    "Elm",
    "Street",
    "Rue",
    "Verte",
    "Kirkeveien",
    "Calle",
    "Mayor",
]
CITIES = [
    "Tromsø",
    "Łódź",
    "Stuttgart",
    "Praha",
    "Porto",
    "Lyon",
    "Bergen",
    "Graz",
    "Sevilla",
    "Leeds",
    "Boston",
    "Chicago",
    "Oslo",
    "Wien",
]
COUNTRIES = ["USA"] * 5 + ["Norway", "Poland", "Germany", "Czechia", "Portugal", "France", "Austria", "Spain"]
STATES = ["", "", "IL", "MA", "SP", "WA"]
FIRMS = ["", "", "Fjordlys Film AS", "Łódź City Library", "Köhler & Söhne GmbH", "Harbour Radio", "Blue Door Ltd."]
NATIVE = [
    "髙橋美咲",
    "海野なつき",
    "渡邊健一",
    "齋藤陽菜",
    "山田太郎",
    "鈴木一郎",
    "佐藤花子",
    "小林直樹",
    "中村美穂",
    "加藤翔",
]
NATIVE_FIRMS = ["", "", "株式会社あおぞら映像", "みなと市立図書館", "みなと放送株式会社", "有限会社月影"]
NATIVE_CITIES = ["渋谷区", "港区", "横浜市西区", "金沢市", "札幌市中央区", "那覇市"]
WORDS = [
    "Northern",
    "Hours",
    "Harbour",
    "at",
    "Four",
    "Ledger",
    "of",
    "Rain",
    "Paper",
    "Moon",
    "over",
    "Kanazawa",
    "Small",
    "Boats",
    "Slow",
    "Weather",
    "Room",
    "Tone",
    "Eleven",
    "Bridges",
    "Quiet",
    "Machines",
    "Salt",
    "and",
    "Copper",
    "The",
    "Long",
    "Way",
    "Around",
    "Winter",
    "Ferry",
    "Glass",
    "Garden",
]
NATIVE_WORDS = [
    "朝の駅",
    "雨の帳簿",
    "金沢の紙の月",
    "十一の橋",
    "静かな機械",
    "塩と銅",
    "冬の渡し船",
    "硝子の庭",
    "遠い灯台",
    "夜の地図",
]
GOODS = [
    "WHITE HANGING HEART T-LIGHT HOLDER",
    "CREAM CUPID HEARTS COAT HANGER",
    "RED WOOLLY HOTTIE WHITE HEART.",
    "SET 7 BABUSHKA NESTING BOXES",
    "HAND WARMER UNION JACK",
    "ASSORTED COLOUR BIRD ORNAMENT",
    "POPPY'S PLAYHOUSE BEDROOM",
    "JAM MAKING SET WITH JARS",
    "DOORMAT NEW ENGLAND",
    "VICTORIAN GLASS HANGING T-LIGHT",
    "PACK OF 72 RETROSPOT CAKE CASES",
    "REGENCY CAKESTAND 3 TIER",
    "LUNCH BAG RED RETROSPOT",
    "PARTY BUNTING",
    "JUMBO STORAGE BAG SUKI",
    "60 TEATIME FAIRY CAKE CASES",
]


@dataclass(frozen=True)
class Planted:
    """One document: what was asked for, and what its PDF is."""

    params: Params
    pdf: bytes
    fault: str = ""
    detail: str = ""


def design(name: str) -> DesignVersion:
    """Return the latest version of a design, packaged or of the tests."""
    known = {**packaged_designs(), **load_designs(OWN_DESIGNS)}
    return known[name].versions[known[name].latest]


BY_BROWSER = {"letter": web_letter.printed, "itinerary": web_itinerary.printed}
"""Designs that Chromium prints."""


BY_OFFICE = {"order": office_order}
"""Designs that LibreOffice prints: many at once, for it takes seconds to start."""


def printed_all(name: str, wanted: list[Params]) -> dict[int, bytes]:
    """Return the PDFs of rows."""
    if name in BY_OFFICE:
        BY_OFFICE[name].print_all(_without_blanks(wanted))
    return {row: printed(name, params) for row, params in enumerate(wanted)}


def printed(name: str, params: Params) -> bytes:
    """Return a document's PDF."""
    if name in BY_OFFICE:
        return BY_OFFICE[name].printed(_without_blanks(params))
    if name in BY_BROWSER:
        return BY_BROWSER[name](_without_blanks(params))
    return render(design(name), _without_blanks(params), created=CREATED)


def _without_blanks(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_blanks(item) for name, item in value.items() if item is not None}
    return [_without_blanks(item) for item in value] if isinstance(value, list) else value


def _day(rng: random.Random) -> str:
    return (date(2026, 1, 1) + timedelta(days=rng.randrange(700))).isoformat()


def _title(rng: random.Random, native: bool) -> str:
    if native:
        return "・".join(rng.sample(NATIVE_WORDS, rng.choice([1, 1, 2, 3])))
    return " ".join(rng.sample(WORDS, rng.randrange(2, 7)))


def _person(rng: random.Random, native: bool) -> tuple[str, str]:
    if native:
        return rng.choice(NATIVE), rng.choice(NATIVE_FIRMS)
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}", rng.choice(FIRMS)


def invoice(rng: random.Random, number: int, native: bool) -> Params:
    name, firm = _person(rng, native)
    if native and not (firm or name):
        name = NATIVE[0]
    lines = [
        {
            "Track": _title(rng, native and rng.random() < 0.7),
            "Artist": "" if rng.random() < 0.1 else _person(rng, native and rng.random() < 0.7)[0],
            "Album": _title(rng, native and rng.random() < 0.7),
            "UnitPrice": rng.choice([110, 220, 1980, 27500]) if native else rng.choice([0.99, 0.99, 1.99, 49.5]),
            "Quantity": rng.choice([1, 1, 1, 1, 2, 3, 12]),
        }
        for _ in range(rng.choice([1, 2, 2, 4, 6, 9, 14, 14, 38]))
    ]
    return {
        "InvoiceId": str(number),
        "InvoiceDate": _day(rng),
        "CustomerId": str(rng.randrange(1, 60)),
        "CustomerName": name,
        "Company": firm,
        "Email": ""
        if rng.random() < 0.1
        else f"{rng.choice(FIRST).lower()}{rng.randrange(99)}@{rng.choice(LAST).lower()}.example",
        "BillingAddress": f"みなとみらい{rng.randrange(1, 9)}-{rng.randrange(1, 30)}"
        if native
        else f"{rng.choice(STREETS)} {rng.randrange(1, 200)}",
        "BillingCity": rng.choice(NATIVE_CITIES if native else CITIES),
        "BillingState": "" if native else rng.choice(STATES),
        "BillingCountry": "日本" if native else rng.choice(COUNTRIES),
        "BillingPostalCode": f"{rng.randrange(100, 999)}-{rng.randrange(1000, 9999)}"
        if native
        else f"{rng.randrange(99999):05}",
        "Total": round(sum(line["UnitPrice"] * line["Quantity"] for line in lines), 2),
        "Lines": lines,
    }


def quotation(rng: random.Random, number: int, native: bool) -> Params:
    name, firm = _person(rng, native)
    units = ["時間", "式", "日", None] if native else ["hours", "days", "rooms", None]
    lines = [
        {
            "Item": _title(rng, native),
            "Description": ""
            if rng.random() < 0.3
            else ", ".join(_title(rng, native) for _ in range(rng.randrange(1, 4))),
            "Unit": rng.choice(units),
            "UnitPrice": rng.choice([132000, 72000, 1200])
            if native
            else rng.choice([1450, 680, 95, 188.75, 0.35]),
            "Quantity": rng.choice([1, 1, 2, 4, 32.5, 6, 1200]),
        }
        for _ in range(rng.choice([1, 2, 3, 4, 6, 9, 20]))
    ]
    return {
        "QuotationId": f"Q-2026-{number:04}",
        "QuotationDate": _day(rng),
        "ValidUntil": "" if rng.random() < 0.2 else _day(rng),
        "CustomerName": name,
        "Company": firm,
        "Subject": "" if rng.random() < 0.1 else _title(rng, native),
        "DeliveryDate": rng.choice(["", _day(rng), "ご発注後4週間" if native else "four weeks after the order"]),
        "PaymentTerms": rng.choice(
            [
                "",
                "銀行振込" if native else "30 days net",
                "前払い" if native else "40% with the order, 60% on delivery",
            ]
        ),
        "Notes": "" if rng.random() < 0.5 else ". ".join(_title(rng, native) for _ in range(rng.randrange(1, 12))),
        "Total": sum(line["UnitPrice"] * line["Quantity"] for line in lines),
        "Lines": lines,
    }


def receipt(rng: random.Random, number: int, native: bool) -> Params:
    name, firm = _person(rng, native)
    return {
        "ReceiptId": f"R-2026-{number}",
        "ReceiptDate": _day(rng),
        "CustomerName": name if rng.random() < 0.9 or not firm else "",
        "Company": firm,
        "Amount": rng.randrange(1000, 900000) if native else round(rng.uniform(1, 5000), 2),
        "Description": _title(rng, native) + ("代" if native else ""),
        "PaymentMethod": rng.choice(["銀行振込", "現金", ""] if native else ["Bank transfer", "Card", "Cash", ""]),
    }


def certificate(rng: random.Random, number: int, native: bool) -> Params:
    name, firm = _person(rng, native)
    return {
        "CertificateId": "" if rng.random() < 0.05 else f"C-2026-{number:04}",
        "RecipientName": name,
        "Company": firm,
        "Course": _title(rng, native),
        "Hours": None if rng.random() < 0.1 else rng.choice([8, 12, 24, 24, 40, 1.5]),
        "CompletionDate": _day(rng),
        "Instructor": _person(rng, native)[0],
    }


def orders(rng: random.Random, number: int, native: bool) -> Params:
    count = rng.choice([1, 3, 8, 20, 20, 45, 120, 300, 600] if number % 7 == 0 else [1, 3, 8, 20, 20, 45])
    items = [
        {
            "Code": f"{rng.randrange(10000, 99999)}{rng.choice(['', '', '', 'A', 'B'])}",
            "Name": rng.choice(GOODS) + (f" {rng.choice(GOODS)}" if rng.random() < 0.15 else ""),
            "Price": rng.choice([0.42, 0.85, 1.25, 1.65, 2.55, 4.95, 12.75, 1045]),
            "Pieces": rng.choice([1, 2, 3, 6, 6, 12, 24, 48, 1200]),
        }
        for _ in range(count)
    ]
    return {
        "OrderNo": str(536365 + number),
        "Customer": _person(rng, False)[0],
        "Ordered": _day(rng),
        "Express": rng.random() < 0.3,
        "GiftMessage": ""
        if rng.random() < 0.93
        else f"Alles Gute zum Geburtstag, {rng.choice(FIRST)}, und bis bald",
        "Total": round(sum(item["Price"] * item["Pieces"] for item in items), 2),
        "Items": items,
    }


def badge(rng: random.Random, number: int, native: bool) -> Params:
    name, firm = _person(rng, native)
    return {
        "Number": number,
        "Name": name,
        "Firm": firm,
        "Role": rng.choice(["Producer", "Composer", "Press", "Guest of the fair", "Speaker"]),
        "Day": (date(2026, 11, 2) + timedelta(days=rng.randrange(3))).isoformat(),
        "Hall": "" if rng.random() < 0.4 else rng.choice("ABCD"),
    }


def delivery(rng: random.Random, number: int, native: bool) -> Params:
    name, firm = _person(rng, native)
    native_goods = ["三脚", "絹張りの傘", "防水ケース(大)", "充電式バッテリー・二個組", "レンズ用の布"]
    items = [
        {
            "Sku": f"{rng.choice(['TR', 'LX', 'C', 'BAT'])}-{rng.randrange(10, 9999)}",
            "Name": rng.choice(native_goods)
            if native
            else f"{_title(rng, False)}, {rng.choice(GOODS).capitalize()}",
            "Lot": "" if rng.random() < 0.15 else f"L{rng.randrange(2400, 2699)}{rng.choice('ABCD')}",
            "Quantity": rng.choice([1, 2, 2, 5, 10, 144, 1200]),
            "Checked": rng.random() < 0.8,
        }
        for _ in range(rng.choice([1, 2, 4, 9, 16, 33, 70]))
    ]
    street = f"{rng.choice(STREETS)} {rng.randrange(1, 200)}, {rng.randrange(10000, 99999)} {rng.choice(CITIES)}"
    return {
        "NoteNo": f"DN-{rng.randrange(24, 27)}-{number:06}",
        "Shipped": _day(rng),
        "Arrives": _day(rng),
        "Recipient": firm or name,
        "Address": f"{rng.choice(NATIVE_CITIES)}本町{rng.randrange(1, 9)}-{rng.randrange(1, 30)}"
        if native
        else street,
        "Attention": "" if rng.random() < 0.5 else _person(rng, native)[0],
        "Insured": rng.random() < 0.6,
        "Fragile": rng.random() < 0.4,
        "Chilled": rng.random() < 0.2,
        "Weight": rng.choice([0.4, 2, 7.25, 12.5, 118, 1040.5]) + rng.randrange(40),
        "Value": rng.randrange(1000, 900000) if native else round(rng.uniform(20, 30000), 2),
        "Language": "ja" if native else "en",
        "Remarks": ""
        if rng.random() < 0.4
        else (
            "。".join(_title(rng, True) for _ in range(4))
            if native
            else " ".join(_title(rng, False) for _ in range(6))
        ),
        "Items": items,
    }


def bill(rng: random.Random, number: int, native: bool) -> Params:
    name, firm = _person(rng, native)
    lines = [
        {
            "Description": _title(rng, native),
            "Quantity": rng.choice([1, 1, 2, 3, 7.5, 40]),
            "Unit": rng.choice(["", "時間", "式"] if native else ["", "hours", "pieces"]),
            "UnitPrice": rng.choice([3300, 12000, 480]) if native else rng.choice([95, 12.5, 1450, 0.35]),
            "Tax": rng.choice([10, 8] if native else [19, 7]),
        }
        for _ in range(rng.choice([1, 2, 3, 5, 9, 24]))
    ]
    return {
        "Number": f"B-{number:05}",
        "Date": _day(rng),
        "DueDate": "" if rng.random() < 0.2 else _day(rng),
        "Customer": firm or name,
        "CustomerAddress": f"{rng.choice(NATIVE_CITIES)}{rng.randrange(1, 9)}-{rng.randrange(1, 30)}"
        if native
        else f"{rng.choice(STREETS)} {rng.randrange(1, 200)}\n{rng.choice(CITIES)}",
        "Sender": "株式会社あおぞら映像" if native else "Fjordlys Film AS",
        "SenderAddress": "" if rng.random() < 0.3 else ("渋谷区1-2-3" if native else "Havnegata 12, Tromsø"),
        "Bank": "" if rng.random() < 0.5 else f"IBAN NO93 {rng.randrange(1000, 9999)} {rng.randrange(1000, 9999)}",
        "Notes": "" if rng.random() < 0.6 else _title(rng, native),
        "Currency": "JPY" if native else "EUR",
        "Lines": lines,
    }


ROWS: dict[str, Callable[[random.Random, int, bool], Params]] = {
    "invoice": invoice,
    "quotation": quotation,
    "receipt": receipt,
    "certificate": certificate,
    "orders": orders,
    "badge": badge,
    "bill": bill,
    "delivery": delivery,
    "letter": web_letter.letter,
    "itinerary": web_itinerary.itinerary,
    "order": office_order.order,
}
"""By design: a row for a number, in Japanese or not."""


def rows(name: str, count: int, seed: int) -> list[Params]:
    """Return rows for a design, a fifth of them in Japanese where it speaks Japanese."""
    rng = random.Random(f"{name} {seed}")  # noqa: S311 - made-up rows
    return [ROWS[name](rng, number, rng.random() < 0.2) for number in range(1, count + 1)]


def from_chinook(count: int) -> list[Params]:
    """Return the packaged example's invoices as params."""
    orders_, lines = rf.example_orders()
    wanted = []
    for row in orders_.head(count).to_dict("records"):
        own = lines[lines["InvoiceId"] == row["InvoiceId"]]
        record = {name: ("" if value != value else value) for name, value in row.items()}  # noqa: PLR0124 - NaN
        record["InvoiceDate"] = row["InvoiceDate"].date().isoformat()
        record["Lines"] = own[["Track", "Artist", "Album", "UnitPrice", "Quantity"]].to_dict("records")
        wanted.append(record)
    return wanted


# -- faults --------------------------------------------------------------------------------------------------


def _tables(params: Params) -> list[str]:
    return [name for name, value in params.items() if isinstance(value, list)]


def _places(params: Params, wanted: Callable[[Any], bool]) -> list[tuple[Any, ...]]:
    """Return the paths of values that are not blank."""
    found: list[tuple[Any, ...]] = []
    for name, value in params.items():
        if isinstance(value, list):
            found += [
                (name, at, field) for at, line in enumerate(value) for field, cell in line.items() if wanted(cell)
            ]
        elif wanted(value):
            found.append((name,))
    return found


def value_at(params: Params, path: Sequence[Any]) -> Any:
    """Return the value at a path: a name, or a table's, a line's number and a column's."""
    value: Any = params
    for step in path:
        value = value[step]
    return value


def with_value(params: Params, path: Sequence[Any], value: Any) -> Params:
    """Return a copy of a row with another value at a path."""
    changed = copy.deepcopy(params)
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


def _is_said(value: Any) -> bool:
    return value not in ("", None) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-" and value[:4].isdigit()


def _scalar_or_line(rng: random.Random, params: Params, wanted: Callable[[Any], bool]) -> tuple[Any, ...] | None:
    """Return a place at random: a parameter as likely as a line's cell, however many lines there are."""
    places = _places(params, wanted)
    names = sorted({(path[0], path[-1]) for path in places}, key=str)
    if not names:
        return None
    name = rng.choice(names)
    return rng.choice([path for path in places if (path[0], path[-1]) == name])


def swapped(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    path = _scalar_or_line(rng, params, _is_said)
    if path is None:
        return None
    own = value_at(params, path)
    for _ in range(40):
        other = rng.choice(others)
        if len(path) == 1:
            value = other[path[0]]
        else:
            lines = other[path[0]]
            value = rng.choice(lines)[path[2]] if lines else own
        if _is_said(value) and value != own:
            return with_value(params, path, value), f"{path}: {own!r} -> {value!r}"
    return None


def blanked(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    path = _scalar_or_line(rng, params, _is_said)
    if path is None:
        return None
    own = value_at(params, path)
    return with_value(params, path, "" if isinstance(own, str) else None), f"{path}: {own!r} -> blank"


def digit(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    path = _scalar_or_line(
        rng, params, lambda v: _is_said(v) and any(c.isdigit() for c in str(v)) and not _is_date(v)
    )
    if path is None:
        return None
    own = value_at(params, path)
    text = str(own)
    places = [at for at, char in enumerate(text) if char.isdigit()]
    for _ in range(20):
        at = rng.choice(places)
        new = text[:at] + rng.choice([d for d in "123456789" if d != text[at]]) + text[at + 1 :]
        value = new if isinstance(own, str) else type(own)(new)
        if value != own:
            return with_value(params, path, value), f"{path}: {own!r} -> {value!r}"
    return None


def cut(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    path = _scalar_or_line(rng, params, lambda v: isinstance(v, str) and len(v.strip()) >= 6 and not _is_date(v))
    if path is None:
        return None
    own = value_at(params, path)
    value = own[: rng.randrange(len(own) // 2, len(own) - 1)].rstrip()
    return with_value(params, path, value), f"{path}: {own!r} -> {value!r}"


def line_missing(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    for name in _tables(params):
        lines = params[name]
        if len(lines) > 1:
            at = rng.randrange(len(lines))
            return {**params, name: lines[:at] + lines[at + 1 :]}, f"{name}: line {at} of {len(lines)} missing"
    return None


def line_doubled(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    for name in _tables(params):
        lines = params[name]
        if lines:
            at = rng.randrange(len(lines))
            return {**params, name: lines[: at + 1] + lines[at:]}, f"{name}: line {at} of {len(lines)} doubled"
    return None


def date_changed(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    path = _scalar_or_line(rng, params, _is_date)
    if path is None:
        return None
    own = value_at(params, path)
    value = (date.fromisoformat(own) + timedelta(days=rng.choice([-31, -1, 1, 7, 30, 365]))).isoformat()
    return with_value(params, path, value), f"{path}: {own!r} -> {value!r}"


def flag(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    path = _scalar_or_line(rng, params, lambda v: isinstance(v, bool))
    if path is None:
        return None
    own = value_at(params, path)
    return with_value(params, path, rng.choice([not own, None])), f"{path}: not {own}"


CHANGES: dict[str, Callable[[random.Random, Params, list[Params]], tuple[Params, str] | None]] = {
    "swapped": swapped,
    "blanked": blanked,
    "digit": digit,
    "cut": cut,
    "line_missing": line_missing,
    "line_doubled": line_doubled,
    "date": date_changed,
    "flag": flag,
}
"""Faults by which another document is printed than was asked for."""


def with_blank_page(pdf: bytes, rng: random.Random) -> bytes:
    """Return the document with one of its pages empty, or an empty one more."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        page = rng.choice(list(document.pages))
        if rng.random() < 0.5:
            page.Contents = document.make_stream(b"")
        else:
            document.add_blank_page(page_size=(page.mediabox[2], page.mediabox[3]))
        target = io.BytesIO()
        document.save(target)
    return target.getvalue()


def with_boxes(rng: random.Random, params: Params, others: list[Params]) -> tuple[Params, str] | None:
    path = _scalar_or_line(rng, params, lambda v: isinstance(v, str) and len(v) >= 3 and not _is_date(v))
    if path is None:
        return None
    own = value_at(params, path)
    at = rng.randrange(len(own) - 1)
    value = own[:at] + "□" * min(3, len(own) - at) + own[at + 3 :]
    return with_value(params, path, value), f"{path}: {own!r} -> {value!r}"


UNSEEN = {
    "covered": "q BT /Own 9 Tf 60 60 Td ({}) Tj ET 1 1 1 rg 50 50 340 30 re f Q",
    "mode 3": "q BT 3 Tr /Own 9 Tf 60 60 Td ({}) Tj ET Q",
    "white": "q 1 1 1 rg BT /Own 9 Tf 60 60 Td ({}) Tj ET Q",
    "tiny": "q BT /Own 0.4 Tf 60 60 Td ({}) Tj ET Q",
    "outside": "q BT /Own 9 Tf 60 -40 Td ({}) Tj ET Q",
    "transparent": "q /Clear gs BT /Own 9 Tf 60 60 Td ({}) Tj ET Q",
    "clipped": "q 10 10 2 2 re W n BT /Own 9 Tf 60 60 Td ({}) Tj ET Q",
}
"""Ways in which a text may be in a PDF and no eye sees it."""


def with_unseen(name: str, rng: random.Random, params: Params, others: list[Params]) -> tuple[bytes, str] | None:
    """Return the document with a value that its text has and its picture has not, in one of several ways."""
    path = _scalar_or_line(
        rng,
        params,
        lambda v: isinstance(v, str) and len(v) >= 3 and v.isascii() and v.isprintable() and not _is_date(v),
    )
    if path is None:
        return None
    own = value_at(params, path)
    without = printed(name, with_value(params, path, ""))
    if without == printed(name, params):
        return None
    way = rng.choice(sorted(UNSEEN))
    return with_text(without, own, UNSEEN[way]), f"{path}: {own!r} is {way}"


CLIPPING = {"badge": ("Name", "Firm"), "letter": ("Customer",)}
"""By design, the parameters that it cuts off where they don't fit."""


def too_long(name: str, rng: random.Random, params: Params) -> tuple[Params, str] | None:
    """Return a row whose value is longer than its place; the design cuts it off."""
    if name not in CLIPPING or params.get("Language") == "ja":  # vertical text has room
        return None
    path = rng.choice(CLIPPING[name])
    longer = " ".join([params[path] or rng.choice(FIRMS[2:]), *rng.sample(WORDS, 16)])
    return {**params, path: longer}, f"{path}: {longer!r}"


def with_text(pdf: bytes, text: str, way: str) -> bytes:
    """Return a PDF with a text of plain letters on its first page, as these operators print it."""
    said = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    with pikepdf.open(io.BytesIO(pdf)) as document:
        page, name = document.pages[0], pikepdf.Name
        page.contents_coalesce()
        font = pikepdf.Dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica)
        page.add_resource(font, name.Font, name.Own)
        page.add_resource(pikepdf.Dictionary(Type=name.ExtGState, ca=0), name.ExtGState, name.Clear)
        page.contents_add(b"q", prepend=True)
        page.contents_add(b"Q " + way.format(said).encode())
        target = io.BytesIO()
        document.save(target)
    return target.getvalue()


def with_line_extra(rng: random.Random, params: Params) -> tuple[Params, str] | None:
    """Return a row without one of the lines that its document has, or without any."""
    for name in _tables(params):
        lines = params[name]
        if len(lines) > 1:
            if rng.random() < _WITHOUT_ANY:
                return {**params, name: []}, f"{name}: {len(lines)} lines, and the row has none"
            at = rng.choice([0, len(lines) - 1, rng.randrange(len(lines))])
            return {
                **params,
                name: lines[:at] + lines[at + 1 :],
            }, f"{name}: line {at} of {len(lines)} is not the row's"
    return None


_WITHOUT_ANY = 0.2
"""Share of rows without any line among those whose document has more lines."""

OTHER_FAULTS = ("line_extra", "another_row", "blank_page", "truncated", "boxes", "unseen", "clipped")


def plant(name: str, wanted: list[Params], fault: str, count: int, seed: int) -> dict[int, Planted]:
    """Return documents with one kind of fault at random places, by row."""
    if name in BY_OFFICE:
        with BY_OFFICE[name].collecting():  # what is asked for is then printed at once
            _plant(name, wanted, fault, count, seed)
    return _plant(name, wanted, fault, count, seed)


def _plant(name: str, wanted: list[Params], fault: str, count: int, seed: int) -> dict[int, Planted]:
    rng = random.Random(f"{name} {fault} {seed}")  # noqa: S311 - made-up rows
    planted: dict[int, Planted] = {}
    for at in rng.sample(range(len(wanted)), len(wanted)):
        if len(planted) == count:
            break
        one = _planted(name, rng, wanted, at, fault)
        if one is not None:
            planted[at] = one
    return planted


def _planted(name: str, rng: random.Random, wanted: list[Params], at: int, fault: str) -> Planted | None:
    """Return one document with a fault; None where the row has no place for it, or it would not be printed."""
    params, others = wanted[at], wanted[:at] + wanted[at + 1 :]
    if fault in CHANGES or fault == "boxes":
        put = with_boxes if fault == "boxes" else CHANGES[fault]
        change = put(rng, params, others)
        pdf = b"" if change is None else printed(name, change[0])
        return None if change is None or pdf == printed(name, params) else Planted(params, pdf, fault, change[1])
    if fault == "line_extra":
        less = with_line_extra(rng, params)
        return Planted(less[0], printed(name, params), fault, less[1]) if less is not None else None
    if fault == "clipped":
        longer = too_long(name, rng, params)
        return Planted(longer[0], printed(name, longer[0]), fault, longer[1]) if longer is not None else None
    if fault == "unseen":
        made = with_unseen(name, rng, params, others)
        return Planted(params, made[0], fault, made[1]) if made is not None else None
    if fault == "another_row":
        taken = rng.randrange(len(others))
        return Planted(params, printed(name, others[taken]), fault, f"row {taken + (taken >= at)}")
    pdf = printed(name, params)
    broken = with_blank_page(pdf, rng) if fault == "blank_page" else pdf[: rng.randrange(100, len(pdf) - 50)]
    return Planted(params, broken, fault)
