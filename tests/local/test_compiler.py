from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas.local.compiler import RenderError, render
from reportflow_pandas.local.designs import (
    DesignVersion,
    Parameter,
    load_designs,
    packaged_designs,
    value_problems,
)
from reportflow_pandas.local.parameters import TYPES, printable, texts

CREATED = datetime(2026, 11, 1, 9, 30, 15, tzinfo=UTC)
INVOICE = packaged_designs()["invoice"].versions[1]
VERSIONS = [(design.id, number) for design in packaged_designs().values() for number in design.versions]


def version_of(design: str, number: int) -> DesignVersion:
    return packaged_designs()[design].versions[number]


def invoice(**changes: Any) -> dict[str, Any]:
    return {**INVOICE.samples["en"], **changes}


def pages_of(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]
    finally:
        document.close()


def text_of(pdf: bytes) -> str:
    return " ".join(pages_of(pdf))


def rendered(params: Mapping[str, Any], version: DesignVersion = INVOICE, **more: Any) -> str:
    return text_of(render(version, params, created=CREATED, **more))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("design", "number"), VERSIONS)
def test_every_sample_renders_on_one_page(design: str, number: int, language: str) -> None:
    version = version_of(design, number)
    assert len(pages_of(render(version, version.samples[language], created=CREATED))) == 1


@pytest.mark.parametrize(("design", "number"), VERSIONS)
def test_every_design_renders_without_any_value(design: str, number: int) -> None:
    assert len(pages_of(render(version_of(design, number), {}, created=CREATED))) == 1


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("design", "number"), VERSIONS)
def test_every_text_of_a_sample_can_be_read_from_the_page(design: str, number: int, language: str) -> None:
    sample = version_of(design, number).samples[language]
    text = rendered(sample, version_of(design, number)).replace(" ", "")
    rows = [row for value in sample.values() if isinstance(value, list) for row in value]
    values = [
        value
        for record in (sample, *rows)
        for name, value in record.items()
        if "Date" not in name and name not in ("Currency", "Logo")
    ]
    for value in values:
        if isinstance(value, str) and not value[:4].isdigit():
            assert all(line.replace(" ", "") in text for line in value.splitlines())


def test_the_language_of_the_labels_follows_the_recipient() -> None:
    assert "Invoice" in rendered(invoice())
    assert "請求書" in rendered(invoice(Company=None, CustomerName="山田太郎"))
    assert "請求書" in rendered(invoice(Company="ヤマダ"))
    assert "請求書" not in rendered(invoice(Lines=[{"Track": "朝の駅"}]))


@pytest.mark.parametrize(
    "name", ["Leonie Köhler", "Łódź", "日本語", "Bjørn Hansen", "František Wichterlová", "Νίκος", "Юрий", "office"]
)
def test_a_name_in_any_of_our_scripts_can_be_read_back(name: str) -> None:
    assert name in rendered(invoice(CustomerName=name, Company=None))


def test_amounts_keep_their_decimals() -> None:
    lines = [{"Track": "A", "UnitPrice": 0.99, "Quantity": 2}, {"Track": "B", "UnitPrice": "0.125", "Quantity": 3}]
    text = rendered(invoice(Lines=lines, Total="1234567.80"))
    for shown in ("$0.99", "$1.98", "$0.125", "$0.375", "$2.355", "$1,234,567.80"):
        assert shown in text


def test_yen_have_no_decimals_unless_there_are_some() -> None:
    lines = [{"Track": "A", "UnitPrice": 1000.0, "Quantity": 2}]
    text = rendered(invoice(Company="ヤマダ", Lines=lines, Total=1.98, Currency="JPY"))
    assert "¥1,000 " in text
    assert "¥2,000 " in text
    assert "¥1.98" in text


@pytest.mark.parametrize("design", ["invoice", "quotation", "receipt"])
def test_the_currency_never_depends_on_the_name_of_the_customer(design: str) -> None:
    version = packaged_designs()[design].versions[packaged_designs()[design].latest]
    sample = {name: value for name, value in version.samples["en"].items() if name != "Currency"}
    for company in ("Fjordlys Film AS", "株式会社あおぞら映像"):
        for currency, sign, other in ((None, "$", "¥"), ("USD", "$", "¥"), ("JPY", "¥", "$"), ("eur", "€", "$")):
            params = sample | {"Company": company} | ({"Currency": currency} if currency else {})
            text = rendered(params, version)
            assert sign in text
            assert other not in text


def test_language_and_currency_are_chosen_by_parameters() -> None:
    assert "請求書" in rendered(invoice(Language="ja"))
    assert "Invoice" in rendered(invoice(Language="English", Company="株式会社あおぞら映像"))
    assert "Total (EUR)" in rendered(invoice(Currency="€"))
    assert "合計" in rendered(invoice(Language="日本語"))


@pytest.mark.parametrize(
    ("currency", "shown"),
    [
        ("KRW", "₩148 "),
        ("BHD", "BHD 148.450"),
        ("CHF", "CHF 148.45"),
        ("chf", "CHF 148.45"),
        ("円", "¥148"),
        ("tokens", "tokens 148.45"),
        ("galactic credits", "Total (galactic credits) 148.45"),
        ("", "$148.45"),
        (None, "$148.45"),
        (" ", "$148.45"),
    ],
)
def test_a_currency_of_any_name_is_printed(currency: str | None, shown: str) -> None:
    total = 148 if currency == "KRW" else 148.45
    params = invoice(Currency=currency, Total=total)
    assert value_problems(INVOICE, params) == []
    assert shown in rendered(params).replace("\u00a0", " ") + " "


@pytest.mark.parametrize("language", ["", None, "auto", "Klingon", "x" * 300])
def test_a_word_that_is_no_language_leaves_the_choice_to_the_recipient(language: str | None) -> None:
    assert value_problems(INVOICE, invoice(Language=language)) == []
    assert "Invoice" in rendered(invoice(Language=language))
    assert "請求書" in rendered(invoice(Language=language, Company="ヤマダ"))


BILL = packaged_designs()["bill"].versions[1]
WORK = [{"Description": "Work", "Quantity": 3, "UnitPrice": 10}, {"Description": "Food", "UnitPrice": 5, "Tax": 8}]


def bill(**params: Any) -> str:
    return rendered({"Number": "7", "Date": "2026-11-20", "Customer": "Ada", "Lines": WORK, **params}, BILL)


def test_a_bill_needs_little_and_says_nothing_of_what_it_was_not_told() -> None:
    text = bill(Lines=WORK[:1])
    assert "Total (USD) $30.00" in text
    for word in ("Tax", "Subtotal", "Due", "Please pay to", "Notes"):
        assert word not in text


def test_a_bill_computes_the_tax_of_each_rate_and_rounds_it_once() -> None:
    text = bill(TaxRate=10)
    assert "Subtotal $35.00" in text
    assert "Tax 8% on $5.00 $0.40" in text
    assert "Tax 10% on $30.00 $3.00" in text
    assert "Total (USD) $38.40" in text
    lines = [{"Description": "A", "UnitPrice": "0.05"}, {"Description": "B", "UnitPrice": "0.05"}]
    assert "Tax 10% $0.01" in bill(Lines=lines, TaxRate=10)
    assert "消費税 10% ¥3 " in bill(
        Lines=[{"Description": "A", "UnitPrice": 33}], TaxRate=10, Language="ja", Currency="JPY"
    )


def test_a_bill_prints_tax_lines_of_its_own_in_place_of_computed_ones() -> None:
    taxes = [{"Name": "State tax", "Amount": 2}, {"Name": "City tax", "Amount": 0.5}]
    text = bill(Taxes=taxes, TaxRate=10)
    assert "State tax $2.00" in text
    assert "Total (USD) $37.50" in text
    assert "Tax 10% on" not in text


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Total": 35}, None),
        ({"Total": "35.00", "Subtotal": 35.0}, None),
        ({"Total": 38.4, "TaxRate": 10}, None),
        ({"Total": 36}, "Lines and taxes add up to $35.00, not to this total."),
        ({"Subtotal": 1}, "The lines add up to $35.00, not to this subtotal."),
        ({"Total": 0}, "not to this total"),
        ({"Total": 36, "Lines": []}, None),
    ],
)
def test_a_bill_whose_sums_are_not_consistent_says_so(params: dict[str, Any], said: str | None) -> None:
    untaxed = [{name: value for name, value in line.items() if name != "Tax"} for line in WORK]
    text = bill(**{"Lines": WORK if "TaxRate" in params else untaxed, **params})
    assert ("add up to" in text) == (said is not None)
    assert said is None or said in text


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Total": "19.80"}, None),
        ({"Total": 21.78}, "The lines add up to $19.80, not to this total."),
        ({"Total": 21.78, "Lines": []}, None),
        ({"Total": 21.78, "Language": "ja", "Currency": "USD"}, "明細の合計は $19.80 で、合計と一致しません。"),
    ],
)
def test_an_invoice_and_a_quotation_whose_lines_do_not_add_up_to_the_total_say_so(
    params: dict[str, Any], said: str | None
) -> None:
    lines = [{"Track": "A", "Item": "A", "Quantity": 2, "UnitPrice": 9.9}]
    for design in ("invoice", "quotation"):
        for version in packaged_designs()[design].versions.values():
            text = rendered(invoice(**{"Lines": lines, **params}), version)
            assert ("add up to" in text or "一致しません" in text) == (said is not None)
            assert said is None or said in text


def test_the_parameters_of_a_bill_that_may_be_left_out_are_no_problem_of_a_frame() -> None:
    needed = {parameter.name for parameter in BILL.parameters if parameter.default is None}
    assert needed == {"Number", "Date", "Customer", "Lines"}
    (lines,) = [parameter for parameter in BILL.parameters if parameter.name == "Lines"]
    assert {column.name for column in lines.spec if column.default is None} == {"Description", "UnitPrice"}


def test_an_amount_is_never_rounded_by_a_float() -> None:
    assert "$90,071,992,547,409.93" in rendered(invoice(Total="90071992547409.93"))


def test_a_negative_amount_has_its_sign_before_the_currency() -> None:
    assert "\u2212$12.00" in rendered(invoice(Total=-12))


@pytest.mark.parametrize(
    "moment",
    ["2021-01-02", "2021-01-02 00:00:00", "2021-01-02T03:04:05.678Z", "2021/1/2", "2021-01-02T03:04+09:00"],
)
def test_a_date_is_printed_as_people_write_it(moment: str) -> None:
    assert "January 2, 2021" in rendered(invoice(InvoiceDate=moment))
    assert "2021年1月2日" in rendered(invoice(InvoiceDate=moment, Company="ヤマダ"))


def test_a_text_that_is_no_date_is_printed_as_it_is() -> None:
    assert "2021-02-30" in rendered(invoice(InvoiceDate="2021-02-30"))
    assert "end of May" in rendered(invoice(InvoiceDate="end of May"))


def test_a_missing_company_leaves_no_empty_line() -> None:
    def lines(company: str | None) -> list[str]:
        pdf = pypdfium2.PdfDocument(render(INVOICE, invoice(Company=company), created=CREATED))
        found = pdf[0].get_textpage().get_text_bounded().splitlines()
        pdf.close()
        return found

    assert len(lines(None)) == len(lines("Fjordlys Film AS")) - 1
    assert "None" not in " ".join(lines(None))


def test_many_lines_go_over_pages_with_a_head_on_each() -> None:
    lines = [{"Track": f"Track {n:03}", "Artist": "A", "UnitPrice": 1, "Quantity": 1} for n in range(45)]
    pages = pages_of(render(INVOICE, invoice(Lines=lines, Total=45), created=CREATED))
    assert len(pages) == 3
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of 3" in page
        assert "Unit price" in page
        assert "NB-2026-0417" in page
    assert all(line["Track"] in " ".join(pages) for line in lines)


@pytest.mark.parametrize(("design", "number"), VERSIONS)
@pytest.mark.parametrize("word", ["x" * 400, "https://example.test/" + "a/b-c" * 80, "長い名前" * 60])
def test_a_very_long_name_stays_on_the_page(design: str, number: int, word: str) -> None:
    version = version_of(design, number)
    params: dict[str, Any] = {each.name: word for each in version.parameters if each.type in ("text", "date")}
    for each in version.parameters:
        if each.type == "array":
            params[each.name] = [{column.name: word for column in each.spec if column.type == "text"}] * 2
    pdf = pypdfium2.PdfDocument(render(version, params, created=CREATED))
    for page in pdf:
        text = page.get_textpage()
        boxes = [text.get_charbox(at) for at in range(text.count_chars())]
        assert max(right for _, _, right, _ in boxes) < page.get_width() - 40
        assert min(left for left, *_ in boxes) > 40
    pdf.close()


@pytest.mark.parametrize(
    "hostile",
    [
        '#read("/etc/passwd")',
        '#include "template.typ"',
        "$x^2$ *bold* _it_ `raw`",
        "</text><script>alert(1)</script>",
        "{{7*7}} \\u{41} \\ // /* */",
        '"]; #panic("x")',
        "= Heading @label <ref> [x](y)",
    ],
)
def test_params_are_data_and_never_markup(hostile: str) -> None:
    text = rendered(invoice(CustomerName=hostile, Lines=[{"Track": hostile}]))
    assert text.count(hostile) == 2


def test_line_breaks_and_controls_in_a_text_do_not_print() -> None:
    text = rendered(invoice(CustomerName="Ada\r\nLovelace\x00\x07\tKing\x0bX"))
    assert "Ada Lovelace King X" in text


def test_decomposed_accents_and_kana_are_composed() -> None:
    text = rendered(invoice(Company="が", CustomerName="Ko\u0308hler"))
    assert "が" in text
    assert "Köhler" in text


def test_a_kanji_variant_in_a_name_is_kept() -> None:
    assert "神" in rendered(invoice(Company="神"))


@pytest.mark.parametrize(("char", "code"), [("😀", "1F600"), ("한", "D55C"), ("\ud800", "D800"), ("ع", "0639")])
def test_a_character_that_no_font_has_is_an_error_that_names_it(char: str, code: str) -> None:
    lines = [{"Track": "fine"}, {"Track": f"a{char}b"}]
    with pytest.raises(RenderError, match=rf"Lines\.1\.Track: .*U\+{code}"):
        render(INVOICE, invoice(Lines=lines), created=CREATED)


@pytest.mark.parametrize(
    "text",
    [
        "㈱ № ℡ 〒 ￥ ① Ⅳ ㌔ ∥ \uff5e \uff0d",
        "髙﨑濵邊齊𠮷野",
        "ｶﾅ \uff21\uff22\uff23 \uff11\uff12",
        "e\u200b\u200d\ufe0fx\u00ad",
    ],
)
def test_japanese_business_text_has_its_glyphs(text: str) -> None:
    render(INVOICE, invoice(Company=text), created=CREATED)


def test_a_character_in_a_template_s_own_words_that_no_font_has_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "smile").mkdir()
    (tmp_path / "smile" / "design.toml").touch()
    (tmp_path / "smile" / "template.typ").write_text("Thank you\n😀", "utf-8")
    with pytest.raises(RenderError, match=r"template\.typ:2: the text .*😀.* could not"):
        render(load_designs(tmp_path)["smile"].versions[1], {}, created=CREATED)


def test_a_value_that_the_service_refuses_is_not_rendered() -> None:
    with pytest.raises(RenderError, match="Total"):
        render(INVOICE, invoice(Total=None), created=CREATED)


def test_the_same_input_gives_the_same_bytes_also_in_threads() -> None:
    samples = [version_of(*each).samples[language] for each in VERSIONS for language in ("en", "ja")]
    versions = [version_of(*each) for each in VERSIONS for _ in range(2)]

    def one(position: int) -> bytes:
        return render(versions[position], samples[position], created=CREATED, passthrough={"rf": "x", "n": 1})

    serial = [one(position) for position in range(len(samples))]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, list(range(len(samples))) * 3)) == serial * 3


def test_another_process_gives_the_same_bytes() -> None:
    program = (
        "import hashlib, sys\n"
        "from datetime import UTC, datetime\n"
        "from reportflow_pandas.local.designs import packaged_designs\n"
        "from reportflow_pandas.local.compiler import render\n"
        "version = packaged_designs()['invoice'].versions[1]\n"
        "pdf = render(version, version.samples['ja'], created=datetime(2026, 11, 1, 9, 30, 15, tzinfo=UTC))\n"
        "print(hashlib.sha256(pdf).hexdigest())"
    )
    here = hashlib.sha256(render(INVOICE, INVOICE.samples["ja"], created=CREATED)).hexdigest()
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own text
    assert there.stdout.strip() == here


def test_the_file_says_what_the_service_s_files_say() -> None:
    pdf = render(INVOICE, invoice(), created=datetime(2026, 11, 1, 8, 0, tzinfo=timezone(timedelta(hours=9))))
    assert pdf.startswith(b"%PDF-1.7\n")
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert {key: str(value) for key, value in document.docinfo.items()} == {
            "/Producer": "ReportFlow",
            "/Creator": "ReportFlow",
            "/Author": "ReportFlow",
            "/CreationDate": "D:20261031230000Z",
        }
        assert document.check_pdf_syntax() == []


@pytest.mark.parametrize("passthrough", [None, {}, {"nested": {"a": 1}, "list": [1], "flag": True, "none": None}])
def test_without_a_text_or_number_to_pass_through_there_is_no_xmp(passthrough: dict[str, Any] | None) -> None:
    pdf = render(INVOICE, invoice(), created=CREATED, passthrough=passthrough)
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert "/Metadata" not in document.Root


def test_passthrough_texts_and_numbers_are_in_the_xmp() -> None:
    passthrough = {
        "orderId": "A-7 <&> 日本",
        "n": 3,
        "x": 1.5,
        "flag": True,
        "nested": {"secret": "no"},
        "c": "a\x00b",
    }
    pdf = render(INVOICE, invoice(), created=CREATED, passthrough=passthrough)
    with pikepdf.open(io.BytesIO(pdf)) as document, document.open_metadata() as xmp:
        assert set(xmp["dc:subject"]) == {"orderId=A-7 <&> 日本", "n=3", "x=1.5", "c=ab"}
    assert b"secret" not in pdf


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("NTX"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(TYPES), value=JSON_VALUES)
def test_whatever_is_sent_is_refused_by_value_or_printed(kind: str, value: Any) -> None:
    """A value is named by `value_problems`, or reaches the template in the form of its type."""
    columns = (
        (Parameter("N", "number", "N"), Parameter("T", "text", "T")) if kind in ("array", "collection") else ()
    )
    version = DesignVersion(1, Path(), (Parameter("X", kind, "X", "", columns),), {})
    if not value_problems(version, {"X": value}):
        tree = printable(version.parameters, {"X": value})
        json.dumps(tree, allow_nan=False)
        assert set(tree) == {"X"}
        assert all(isinstance(text, str) for _, text in texts(tree))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_printed_or_refused_by_its_name(text: str) -> None:
    try:
        pdf = render(INVOICE, {"CustomerName": text, "Lines": [{"Track": text}]}, created=CREATED)
    except RenderError as error:
        assert str(error).startswith("CustomerName: no font has")  # noqa: PT017 - either outcome is right
    else:
        assert pdf.startswith(b"%PDF-1.7")


def test_an_error_in_a_template_says_where(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "design.toml").touch()
    (tmp_path / "bad" / "template.typ").write_text("line one\n#unknown-name\n", "utf-8")
    version = load_designs(tmp_path)["bad"].versions[1]
    with pytest.raises(RenderError, match=r"template\.typ:2: unknown variable"):
        render(version, {}, created=CREATED)


def test_a_template_cannot_read_outside_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    for position, path in enumerate(("../secret.txt", str(tmp_path / "secret.txt"))):
        home = tmp_path / "designs" / f"peek{position}"
        home.mkdir(parents=True)
        (home / "design.toml").touch()
        (home / "template.typ").write_text(f'#read("{path}")', "utf-8")
    for design in load_designs(tmp_path / "designs").values():
        with pytest.raises(RenderError):
            render(design.versions[1], {}, created=CREATED)


def test_a_design_gets_each_type_in_its_own_form(tmp_path: Path) -> None:
    home = tmp_path / "kinds"
    home.mkdir()
    (home / "design.toml").write_text(
        "[params]\nT={type='text'}\nN={type='number'}\nB={type='boolean'}\nD={type='date'}\nI={type='image'}\n"
        "[params.A]\ntype='array'\ncolumns={N={type='number'}}\n"
        "[params.C]\ntype='collection'\ncolumns={T={type='text'}}\n",
        "utf-8",
    )
    (home / "template.typ").write_text(
        '#import "reportflow.typ": p\n'
        "#repr((p.T, p.N, p.B, p.D, p.A, p.C))\n\n#if p.I != none { image(p.I, width: 1cm); [with picture] }",
        "utf-8",
    )
    version = load_designs(tmp_path)["kinds"].versions[1]
    assert rendered({}, version) == '("", none, none, none, (), (T: ""))'
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    values = {
        "T": 171.0,
        "N": "1.50",
        "B": True,
        "D": "2026-11-01",
        "I": picture,
        "A": [{"N": 2}],
        "C": {"T": "x"},
    }
    text = rendered(values, version)
    for form in (
        '"171"',
        'decimal("1.50")',
        "true",
        "day: 1)",
        '((N: decimal("2")),)',
        '(T: "x")',
        "with picture",
    ):
        assert form in text
