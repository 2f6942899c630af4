"""What people do with the pages, with scripts on and off."""

import re
import time
from datetime import datetime

import pytest

from mailtrack import NewRecipient

expect = pytest.importorskip("playwright.sync_api", reason="the group `browser` is not installed").expect


def wait_for_opens(site, short_id, number):
    """Wait until the server has brought so many opens from its spool to the database."""
    for _ in range(100):
        if site.tracker.get_pixel(short_id).opens.raw.number >= number:
            return
        time.sleep(0.05)
    raise AssertionError("The open does not arrive.")


def cards(page):
    return page.locator("table[role] tbody tr")


def test_from_a_new_pixel_to_the_first_open(site, page, picture, open_page):
    page.goto(site.url)
    if page.locator(".create[open]").count() == 0:
        page.get_by_text("New pixel").click()
    page.get_by_label("Name", exact=True).fill("Spring launch")
    page.get_by_label("Image (optional)").set_input_files(picture)
    page.get_by_role("button", name="Create pixel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Spring launch")
    expect(page.get_by_text("No recipients yet.")).to_be_visible()
    short_id = page.url.split("/")[-2]
    page.get_by_role("link", name="Opens", exact=True).click()
    expect(page.get_by_text("Not opened yet.")).to_be_visible()
    page.go_back()

    page.get_by_label("Addresses").fill("ann@example.org\nAnn <ann@example.org>")
    page.get_by_role("button", name="Add recipients").click()
    expect(page.get_by_role("heading", name="1 recipient added")).to_be_visible()
    expect(cards(page)).to_have_count(1)

    snippet = page.get_by_label("Image tag").input_value()
    token = next(site.tracker.iter_recipients(short_id)).token
    mail = open_page()
    mail.set_content(f"<p>Dear Ann</p>{snippet.replace('TOKEN', token)}")
    mail.wait_for_load_state("networkidle")
    assert mail.evaluate("document.images[0].naturalWidth") == 120
    wait_for_opens(site, short_id, 1)

    page.get_by_role("link", name="Opens", exact=True).click()
    expect(cards(page)).to_have_count(1)
    expect(cards(page).first).to_contain_text("ann@example.org")
    expect(page.get_by_role("img", name=re.compile("^Opens by hour"))).to_be_visible()


@pytest.fixture
def recipients_page(site, page):
    """The page of the recipients of a new pixel, with a list of the methods of all requests of its own."""
    page.goto(f"{site.url}/pixels/{site.tracker.create_pixel('Recipients').short_id}/recipients")
    page.methods = []
    page.on("request", lambda request: page.methods.append(request.method))
    return page


def test_recipients_come_from_a_file(recipients_page, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("Name,Email\nAnn,ann@example.org\nBob,bob@example.com\n")
    recipients_page.get_by_label("Or a CSV file").set_input_files(path)
    recipients_page.get_by_role("button", name="Add recipients").click()
    expect(recipients_page.get_by_role("heading", name="2 recipients added")).to_be_visible()
    with recipients_page.expect_download() as found:
        recipients_page.get_by_role("link", name="Download as CSV").click()
    assert found.value.path().read_text().startswith("Email,Token,Tracking URL,Created At\nann@example.org,tok_")


def test_who_has_not_opened_can_be_listed_without_those_of_whom_it_can_not_be_known(site, page):
    pixel = site.tracker.create_pixel("Apple's share")
    recipients = site.tracker.generate_tokens(pixel, [f"reader{number}@example.org" for number in range(10)])
    for number, one in enumerate(recipients[:7]):
        agent = "Mozilla/5.0" if number < 4 else "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Thunderbird/128.3.1"
        site.tracker.record(pixel, token=one.token, ip=f"192.0.2.{number}", user_agent=agent)
    page.goto(f"{site.url}/logs/{pixel.short_id}")
    rates = page.locator(".rates")
    expect(rates.get_by_text("30.0 % to 70.0 %")).to_be_visible()
    expect(rates.get_by_text("50.0 %", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    parts = rates.locator("svg rect").evaluate_all("all => all.map(one => one.getBoundingClientRect())")
    assert [round(10 * part["width"] / rates.locator("svg").bounding_box()["width"]) for part in parts] == [3, 4]
    rates.get_by_role("link", name="Not opened: 3").click()
    expect(cards(page)).to_have_count(3)
    page.get_by_role("link", name="Include them").click()
    expect(cards(page)).to_have_count(7)
    page.get_by_role("link", name="Leave them out").click()
    expect(cards(page)).to_have_count(3)
    page.get_by_role("link", name="Not known 4").click()
    expect(cards(page)).to_have_count(4)
    expect(cards(page).first).to_contain_text("only prefetched")


def test_a_rejected_line_is_shown_with_number_and_reason_and_can_be_downloaded(recipients_page):
    recipients_page.get_by_label("Addresses").fill("ann@example.org\nbob@\ncem@example.net")
    recipients_page.get_by_role("button", name="Add recipients").click()
    expect(recipients_page.get_by_role("heading", name="2 recipients added")).to_be_visible()
    rejected = recipients_page.locator("#result tbody tr").get_by_role("cell")
    expect(rejected).to_have_text(["2", "bob@", re.compile("@-sign")])
    with recipients_page.expect_download() as found:
        recipients_page.get_by_role("link", name="Download this line").click()
    assert found.value.suggested_filename == "rejected-pasted.csv"
    assert "bob@" in found.value.path().read_text()


def test_the_rejected_rows_of_a_file_are_downloaded_mended_and_taken(recipients_page, tmp_path):
    path = tmp_path / "invoices.csv"
    bad = "".join(f"INV-{number};Öz, Cem;cem{number}@example\r\n" for number in range(2, 20_000))
    path.write_bytes(f"Invoice;Name;E-Mail\r\nINV-1;Lee, Ann;ann@example.org\r\n{bad}".encode("utf-8-sig"))
    recipients_page.get_by_text("References, and the columns").click()
    recipients_page.get_by_label("Reference column").fill("Invoice")
    recipients_page.get_by_label("Or a CSV file").set_input_files(path)
    recipients_page.get_by_role("button", name="Add recipients").click()
    expect(recipients_page.get_by_role("heading", name="19,998 lines of the file were rejected")).to_be_visible()
    with recipients_page.expect_download() as found:
        recipients_page.get_by_role("link", name="Download all 19,998 lines").click()
    text = found.value.path().read_bytes().decode("utf-8-sig")
    assert text == "Invoice;Name;E-Mail\n" + bad.replace("\r\n", "\n")

    mended = tmp_path / "mended.csv"
    heading, *rows = text.replace("@example", "@example.org").splitlines()
    mended.write_text("\n".join([heading, *rows[:30]]), encoding="utf-8-sig")
    expect(recipients_page.get_by_label("Reference column")).to_have_value("Invoice")
    recipients_page.get_by_label("Or a CSV file").set_input_files(mended)
    recipients_page.get_by_role("button", name="Add recipients").click()
    expect(recipients_page.get_by_role("heading", name="30 recipients added")).to_be_visible()
    expect(cards(recipients_page)).to_have_count(31)
    expect(cards(recipients_page).last).to_contain_text("INV-31")


def test_reloading_after_adding_sends_nothing_again(recipients_page):
    recipients_page.get_by_label("Addresses").fill("ann@example.org")
    recipients_page.get_by_role("button", name="Add recipients").click()
    expect(recipients_page.get_by_role("heading", name="1 recipient added")).to_be_visible()
    recipients_page.methods.clear()
    recipients_page.reload()
    expect(cards(recipients_page)).to_have_count(1)
    assert "POST" not in recipients_page.methods


def test_reloading_after_a_rejected_line_uses_up_nothing(recipients_page):
    def add(text):
        recipients_page.get_by_label("Addresses").fill(text)
        recipients_page.get_by_role("button", name="Add recipients").click()

    add("ann@example.org\nbob@")
    for _ in range(12):
        expect(cards(recipients_page)).to_have_count(1)
        recipients_page.reload()
    add("cem@example.org")
    expect(recipients_page.get_by_role("heading", name="1 recipient added")).to_be_visible()
    expect(cards(recipients_page)).to_have_count(2)


def test_the_log_is_paged_filtered_and_switched(site, page):
    page.goto(f"{site.url}/logs/{site.fill('Log')}")
    expect(cards(page)).to_have_count(50)
    page.get_by_role("link", name="Oldest").click()
    expect(cards(page)).to_have_count(30)
    page.get_by_label("Page", exact=True).fill("2")
    page.get_by_role("button", name="Go").click()
    expect(cards(page)).to_have_count(50)
    page.get_by_role("link", name="Raw", exact=True).click()
    expect(page.locator(".lead").last).to_contain_text("130")
    page.get_by_label("Verdict").select_option("Robot")
    page.get_by_role("button", name="Show").click()
    expect(cards(page)).to_have_count(21)
    expect(page.locator(".verdict")).to_have_text(["Robot"] * 21)
    expect(page.get_by_role("link", name="Raw", exact=True)).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name=re.compile("^reader")).first.click()
    expect(page.get_by_text(re.compile("^Only opens of reader"))).to_be_visible()


def test_recipients_are_filtered_and_deleted(site, page):
    short_id = site.fill("Recipients")
    page.goto(f"{site.url}/pixels/{short_id}/recipients")
    page.get_by_role("link", name="Not opened").click()
    number = cards(page).count()
    assert 0 < number < 50
    page.get_by_role("link", name="Delete reader59@example.org").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete reader59@example.org?")
    page.get_by_role("link", name="Cancel").click()
    assert site.tracker.get_pixel(short_id).recipients == 59
    page.goto(f"{site.url}/pixels/{short_id}/recipients?opened=false")
    page.get_by_role("link", name="Delete reader59@example.org").click()
    page.get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_role("heading", name="All recipients")).to_be_visible()
    assert site.tracker.get_pixel(short_id).recipients == 58


def test_pixels_are_searched_paged_and_deleted(new_site, page):
    for number in range(30):
        new_site.tracker.create_pixel(f"Number {number}")
    page.goto(new_site.url)
    expect(cards(page)).to_have_count(25)
    page.get_by_role("link", name="Older").click()
    expect(cards(page)).to_have_count(5)
    page.get_by_role("banner").get_by_role("searchbox").fill("number 17")
    page.get_by_role("button", name="Search").click()
    expect(cards(page)).to_have_count(1)
    page.get_by_role("link", name="Number 17", exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pixels")
    assert "Number 17" not in [pixel.name for pixel in new_site.tracker.iter_pixels()]


def test_pixels_are_sorted_and_chosen_by_day(new_site, page):
    for name in ("b", "C", "a"):
        new_site.tracker.create_pixel(name)
    page.goto(new_site.url)
    page.get_by_label("Sort by").select_option("Name")
    page.get_by_role("button", name="Show").click()
    expect(cards(page).get_by_role("rowheader").get_by_role("link")).to_have_text(["a", "b", "C"])
    page.get_by_label("to", exact=True).fill("2020-01-01")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No pixel fits.")).to_be_visible()
    expect(page.get_by_label("Sort by")).to_have_value("name")


def test_a_pixel_is_renamed_annotated_archived_and_brought_back(new_site, page):
    pixel = new_site.tracker.create_pixel("Misspelt")
    page.goto(f"{new_site.url}/logs/{pixel.short_id}")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Name", exact=True).fill("Well spelt")
    page.get_by_label("Note").fill("Sent late.\nTo few.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Well spelt")
    expect(page.locator(".note")).to_have_text("Sent late.\nTo few.")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Well spelt Archived")
    page.get_by_role("link", name="Pixels", exact=True).click()
    expect(page.get_by_role("link", name="Well spelt", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Archived pixels").click()
    page.get_by_role("link", name="Well spelt", exact=True).click()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Well spelt")
    assert new_site.tracker.get_pixel(pixel).archived is False


def test_the_search_for_an_address_leads_to_all_mails_of_the_person(new_site, page):
    filled = new_site.fill("Spring launch")
    invoices = new_site.tracker.create_pixel("Invoices")
    new_site.tracker.generate_tokens(invoices, [NewRecipient("reader2@example.org", "INV-1")])
    page.goto(f"{new_site.url}/logs/{invoices.short_id}")
    page.get_by_role("banner").get_by_role("searchbox").fill("Reader2@Example.org")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("reader2@example.org")
    expect(cards(page).get_by_role("rowheader")).to_have_text(["Invoices", "Spring launch"])
    expect(page.locator(".timeline li").first).to_contain_text("Thunderbird 128 · Linux")
    page.locator(".timeline a").first.click()
    assert f"/logs/{filled}" in page.url
    page.locator(".chip").get_by_role("link", name="reader2@example.org").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("reader2@example.org")


def test_a_person_is_erased(new_site, page):
    filled = new_site.fill("Spring launch")
    page.goto(f"{new_site.url}/people?email=reader2@example.org")
    page.get_by_role("link", name="Erase this person").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Erase reader2@example.org?")
    page.get_by_role("link", name="Cancel").click()
    assert new_site.tracker.find_recipients("reader2@example.org")
    page.get_by_role("link", name="Erase this person").click()
    page.get_by_role("button", name="Erase permanently").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 recipient erased")
    page.goto(f"{new_site.url}/people?email=reader2@example.org")
    expect(page.get_by_text("Nothing is known of this address")).to_be_visible()
    page.goto(f"{new_site.url}/logs/{filled}")
    expect(page.locator(".lead").last).to_contain_text("130 raw")


def test_recipients_are_searched_by_their_reference(site, page):
    pixel = site.tracker.create_pixel("Invoices")
    site.tracker.generate_tokens(pixel, [NewRecipient("ann@example.org", f"INV-{number}") for number in range(20)])
    page.goto(f"{site.url}/pixels/{pixel.short_id}/recipients")
    page.get_by_label("Address or reference").fill("inv-7")
    page.get_by_role("search", name="Recipients").get_by_role("button", name="Search").click()
    expect(cards(page)).to_have_count(1)
    expect(cards(page).first).to_contain_text("INV-7")
    page.get_by_role("link", name="Show all").click()
    expect(cards(page)).to_have_count(20)


def test_a_bad_image_is_reported_in_the_form(site, page, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"no image")
    page.goto(site.url)
    if page.locator(".create[open]").count() == 0:
        page.get_by_text("New pixel").click()
    page.get_by_label("Name", exact=True).fill("Bad image")
    page.get_by_label("Image (optional)").set_input_files(path)
    page.get_by_role("button", name="Create pixel").click()
    expect(page.get_by_role("alert")).to_contain_text("The image must be a JPG, PNG, GIF or WebP file.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Bad image")
    page.reload()  # without a script, the form is sent again
    expect(page.get_by_role("heading", level=1)).to_have_text("Pixels")


@pytest.fixture
def scripted(open_page):
    return open_page(timezone_id="Asia/Tokyo", permissions=["clipboard-read", "clipboard-write"])


def test_a_script_shows_the_chosen_image(site, scripted, picture):
    scripted.goto(site.url)
    scripted.locator(".create").evaluate("element => element.open = true")
    scripted.get_by_label("Image (optional)").set_input_files(picture)
    expect(scripted.get_by_role("img", name="The chosen image")).to_be_visible()
    expect(scripted.locator("#image-status")).to_contain_text("logo.png, 1 kB")


def test_a_script_copies_the_tag(site, scripted):
    pixel = site.tracker.create_pixel("Copied")
    scripted.goto(f"{site.url}/pixels/{pixel.short_id}/recipients")
    scripted.get_by_role("button", name="Copy").first.click()
    expect(scripted.get_by_role("button", name="Copied")).to_be_visible()
    assert scripted.evaluate("navigator.clipboard.readText()") == scripted.get_by_label("Image tag").input_value()


def test_a_script_copies_a_program_of_the_reference(site, scripted):
    scripted.goto(f"{site.url}/docs#createPixel")
    scripted.locator("#createPixel").get_by_role("button", name="Copy").first.click()
    copied = scripted.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl {site.url}/api/v1/pixels")
    assert copied == scripted.locator("#createPixel-curl").text_content()


def test_a_script_shows_all_times_in_the_zone_of_the_reader(site, scripted):
    scripted.goto(f"{site.url}/logs/{site.fill('Times')}")
    expect(scripted.get_by_text("Times are in Asia/Tokyo")).to_be_visible()
    times = scripted.locator("time")
    assert all("GMT+9" in title for title in times.evaluate_all("all => all.map(one => one.title).filter(Boolean)"))
    assert all("GMT+9" in text for text in scripted.locator("time.exact").all_inner_texts())
    shown = times.evaluate_all(
        "all => all.filter(one => !one.title).map(one => [one.dateTime, Date.parse(one.textContent)])"
    )
    assert len(shown) > 50
    assert all(abs(datetime.fromisoformat(text).timestamp() - at / 1000) < 60 for text, at in shown)


def test_without_a_script_all_times_are_utc_and_the_page_says_so(site, open_page):
    page = open_page(java_script_enabled=False, timezone_id="Asia/Tokyo")
    page.goto(f"{site.url}/logs/{site.fill('Times')}")
    expect(page.get_by_text("Times are in UTC")).to_be_visible()
    first = page.locator("table[role] time").first
    at = datetime.fromisoformat(first.get_attribute("datetime"))
    expect(first).to_have_text(f"{at:%-d %b %Y, %H:%M:%S}")
