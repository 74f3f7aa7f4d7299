"""Pages in a real browser, and the folders they come in."""

import io

import pytest
from PIL import Image

from dnabert_hf.interpretation.pages.page import Page, Picture, report_folder

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="20" viewBox="0 0 {0} 20">'
    '<rect width="{0}" height="20" fill="#0072b2"/></svg>'
)
HOSTILE = "<script>document.title='taken'</script><img src=http://example.org/x.png> & \"'"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.svg"
    path.write_text(SVG.format(1600))
    return path


@pytest.fixture
def page(picture, typed):
    typed("dnabert attention 'a b' <x>")
    page = Page("A report", lead="What it shows.")
    page.heading("Numbers")
    page.text("A paragraph.")
    columns = [f"column {i}" for i in range(12)]
    page.table("Values", columns, [[i * 10_000 + 0.5 for i in range(12)], [7, None, *columns[2:]]])
    page.table("Logos", ["motif", "logo"], [["TATA", Picture(picture, "TATA in letters")]])
    page.heading("Pictures")
    page.figure(picture, alt="a bar", caption="Narrow", is_wide=False)
    page.figure(picture, alt="another bar", caption="Wide", is_wide=True)
    page.heading("The rest")
    page.files({"table of scores.tsv": "scores"})
    page.widget(
        "Clicks",
        script="root.textContent = data.text;",
        data={"text": HOSTILE},
        fallback="Needs scripts.",
    )
    return page


@pytest.mark.parametrize("is_phone", [False, True])
def test_a_page_shows_its_parts_without_network(page, tmp_path, browser, is_phone):
    page.write(tmp_path / "index.html")
    shown = browser.open(tmp_path / "index.html", is_phone=is_phone)
    assert shown.title() == shown.inner_text("h1") == "A report"
    assert [each.inner_text() for each in shown.query_selector_all("h2")] == [
        "Numbers",
        "Pictures",
        "The rest",
    ]
    assert shown.inner_text("pre") == "dnabert attention 'a b' <x>"
    assert "torch" in shown.inner_text("footer")
    cells = [each.inner_text() for each in shown.query_selector_all("tbody td")]
    assert cells[:2] == ["0.5", "10,000"]
    assert cells[12:15] == ["7", "-", "column 2"]
    sizes = "images => images.map(image => [image.alt, image.naturalWidth])"
    assert shown.eval_on_selector_all("img", sizes) == [
        ["TATA in letters", 1600],
        ["a bar", 1600],
        ["another bar", 1600],
    ]
    assert shown.inner_text(".widget") == HOSTILE
    assert shown.overflow() <= 0
    assert shown.outside_requests() == []
    assert shown.problems == []


def test_the_first_column_stays_and_numbers_have_bars(tmp_path, browser):
    page = Page("Variants")
    columns = ["place", *(f"column {i}" for i in range(12)), "effect"]
    rows = [[f"chr1:{i}", *range(12), effect] for i, effect in enumerate((0.5, -2.0, 0, None))]
    page.table("Effects", columns, rows, bars=["effect"])
    page.write(tmp_path / "index.html")
    shown = browser.open(tmp_path / "index.html", is_phone=True)
    # Of the largest effect, 2: a quarter, all and nothing.
    bars = "cells => cells.map(cell => cell.style.getPropertyValue('--share'))"
    assert shown.eval_on_selector_all("td.bar", bars) == ["25%", "100%", "0%"]
    assert [each.inner_text() for each in shown.query_selector_all("td.minus")] == ["-2"]
    left = "() => document.querySelector('td').getBoundingClientRect().left"
    before = shown.evaluate(left)
    shown.evaluate("document.querySelector('.box').scrollLeft = 300")
    assert shown.evaluate(left) == before
    assert shown.evaluate("document.querySelectorAll('td')[1].getBoundingClientRect().left") < 0
    assert shown.overflow() <= 0


def test_what_comes_from_files_is_shown_as_text(picture, tmp_path, browser, typed):
    typed(HOSTILE)
    page = Page(HOSTILE, lead=HOSTILE)
    for _ in range(3):
        page.heading(HOSTILE)
    page.text(HOSTILE)
    page.table(HOSTILE, [HOSTILE], [[HOSTILE], [Picture(picture, HOSTILE)]])
    page.figure(picture, alt=HOSTILE, caption=HOSTILE, is_wide=True)
    page.files({HOSTILE: HOSTILE})
    page.widget(HOSTILE, script="", data=["</script>" + HOSTILE], fallback=HOSTILE)
    page.write(tmp_path / "index.html")
    shown = browser.open(tmp_path / "index.html")
    assert shown.title() == HOSTILE
    assert shown.inner_text("td") == HOSTILE
    assert shown.outside_requests() == []
    assert shown.problems == []


def test_a_page_may_not_ask_the_network(page, tmp_path, browser):
    page.write(tmp_path / "index.html")
    shown = browser.open(tmp_path / "index.html")
    shown.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://example.org/'}))")
    shown.wait_for_timeout(100)
    assert any("Content Security Policy" in problem for problem in shown.problems)


def test_dark_and_printed_pages_differ(page, tmp_path, browser):
    page.write(tmp_path / "index.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert browser.open(tmp_path / "index.html").evaluate(ground) == "rgb(255, 255, 255)"
    dark = browser.open(tmp_path / "index.html", is_dark=True)
    assert dark.evaluate(ground) == "rgb(22, 24, 27)"
    dark.emulate_media(media="print", color_scheme="dark")
    assert dark.evaluate(ground) == "rgb(255, 255, 255)"
    assert not dark.is_visible("nav")


def test_wrong_parts_are_refused(tmp_path):
    page = Page("A report")
    with pytest.raises(ValueError, match="row 1 of the table 'Values' must have 2 cells, found 1"):
        page.table("Values", ["a", "b"], [[1, 2], [1]])
    with pytest.raises(ValueError, match=r"must be PNG or SVG, found '\.pdf'"):
        page.figure(tmp_path / "x.pdf", alt="x")


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "report"
    with pytest.raises(RuntimeError), report_folder(target, overwrite=False) as folder:
        (folder / "index.html").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with report_folder(target, overwrite=False) as folder:
        (folder / "index.html").write_text("whole")
    assert [path.name for path in tmp_path.rglob("*")] == ["report", "index.html"]
    with report_folder(target, overwrite=True) as folder:
        (folder / "index.html").write_text("new")
    assert (target / "index.html").read_text() == "new"


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    for overwrite, match in ((False, "must be empty or new"), (True, "must hold the index.html")):
        with (
            pytest.raises(ValueError, match=match),
            report_folder(tmp_path / "other", overwrite=overwrite),
        ):
            pass
    (tmp_path / "other" / "index.html").write_text("a page")
    with (
        pytest.raises(ValueError, match=r"must hold nothing else .*, found thesis\.txt; move"),
        report_folder(tmp_path / "other", overwrite=True),
    ):
        pass
    with (
        pytest.raises(ValueError, match="found a file"),
        report_folder(tmp_path / "other" / "thesis.txt", overwrite=True),
    ):
        pass
    with (
        pytest.raises(ValueError, match="found no folder"),
        report_folder(tmp_path / "none" / "report", overwrite=True),
    ):
        pass
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"


def test_a_table_that_goes_on_beside_the_screen_has_a_shadow_there(page, tmp_path, browser):
    page.write(tmp_path / "index.html")
    shown = browser.open(tmp_path / "index.html", is_phone=True)
    wide = shown.query_selector(".box")

    def edges():
        picture = Image.open(io.BytesIO(wide.screenshot())).convert("RGB")
        middle = picture.height // 4  # no line of the table
        return [picture.getpixel((x, middle)) != (255, 255, 255) for x in (0, picture.width - 1)]

    assert edges() == [False, True]
    shadow = "() => getComputedStyle(document.querySelector('td')).boxShadow"
    assert shown.evaluate(shadow) == "none"
    wide.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    assert edges() == [False, False]  # at the left, the column that stays has it on its right
    shown.wait_for_function(f"({shadow})() != 'none'")
