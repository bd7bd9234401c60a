//! Tests of the pages of audiences and of their rejected rows, over the whole router.

use axum::http::{StatusCode, header};
use url::form_urlencoded;

use crate::base::domain::{Fields, Scope};
use crate::http::api::native::tests::{Answered, Bench};
use crate::http::api::web::tests::{Browser, place, with_file};
use crate::http::api::web::writing::tests::{Author, FILE};
use crate::store::{KnownAs, NewAudience, RejectedRow};

/// A file with a rejected row of several reasons, and with what would be HTML, a formula or a change of direction.
const MESSY: &str = "Mobile,First name,Code\n+6591234567,Ann,A1\n12,<script>alert(1)</script>,=1+1\n\
                     +6591234567,Ann again,A2\n\u{202e}9123 456,\u{202e}gpj.exe,\u{1b}[31m\n,Nobody,N1\n";

impl Browser<'_> {
    /// Uploads a file on the list of audiences, and waits for its import. Returns the address of the progress.
    async fn import(&self, bench: &Bench, name: &str, content: &str, fields: &[(&str, &str)]) -> String {
        let mut all = vec![("form_token", self.form_token.as_str()), ("country", "SG")];
        all.extend(fields);
        let sent = self.send(with_file("/uploads", &all, name, content)).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        bench.imports.ended().await;
        place(&sent).to_owned()
    }

    async fn shown(&self, path: &str) -> String {
        let shown = self.get(path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {} {}", place(&shown), shown.text);
        assert!(shown.text.len() < 100_000, "{path} has {} bytes", shown.text.len());
        shown.text
    }
}

/// The names of the fields with the numbers of rejected rows, with the numbers.
fn numbers(page: &str) -> Vec<(String, String)> {
    let fields = page.split("<input name=\"n-").skip(1).map(|field| {
        let (name, rest) = field.split_once('"').unwrap();
        let value = rest.split_once("value=\"").unwrap().1.split_once('"').unwrap().0;
        (format!("n-{name}"), value.to_owned())
    });
    fields.collect()
}

/// Recipients of an audience, each as its fields.
async fn recipients(bench: &Bench, name: &str) -> Vec<Vec<String>> {
    let audience = bench.store.audience_named(name).await.unwrap().unwrap();
    let mut all = Vec::new();
    for part in &audience.parts {
        all.extend(bench.store.recipients(part.id, 0, 99).await.unwrap());
    }
    all.iter().map(|one| one.fields.unpack().unwrap().into_iter().map(Into::into).collect()).collect()
}

async fn mend(browser: &Browser<'_>, bench: &Bench, name: &str, fields: &[(&str, &str)]) -> Answered {
    let sent = browser.post(&format!("/audiences/{name}/mend"), fields).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    bench.imports.ended().await;
    sent
}

#[tokio::test]
async fn an_imported_file_is_listed_and_shown_with_everything_in_it() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    assert!(browser.shown("/audiences").await.contains("There are no audiences yet."));
    let progress = browser.import(&bench, "Members.csv", MESSY, &[]).await;
    let done = browser.get(&progress).await;
    assert_eq!(place(&done), "/audiences/Members?done=imported");
    assert!(browser.shown(place(&done)).await.contains("The file is imported."));
    let list = browser.shown("/audiences").await;
    for says in
        ["href=\"/audiences/Members\"", "Members.csv", "SG", "href=\"/audiences/Members/rejected\"", ">4<", "mia"]
    {
        assert!(list.contains(says), "{says} in {list}");
    }
    let page = browser.shown("/audiences/Members").await;
    for says in ["First name", "FirstName", "Ann", "100 %", "Duplicate", "No number", "No campaign uses it.", "mia"] {
        assert!(page.contains(says), "{says} in {page}");
    }
    assert!(page.contains("/rejected?reason=too+short\" aria-label=\"2 rejected rows: too short\""), "{page}");
    assert!(page.contains("href=\"/audiences/Members/recipients.csv\""));
    let file = browser.get("/audiences/Members/recipients.csv").await;
    assert_eq!(file.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"members-recipients.csv\"");
    let of_api = browser.get("/v1/audiences/Members/export?format=csv").await.text;
    assert_eq!(file.text, format!("\u{feff}{of_api}"));
    assert!(browser.get("/audiences/Nobody").await.text.contains("nknown audience"));
}

#[tokio::test]
async fn the_list_has_pages_and_finds_a_part_of_a_name() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    for number in 0..52 {
        browser.import(&bench, &format!("List {number:02}.csv"), "Mobile\n+6591234567\n", &[]).await;
    }
    let first = browser.shown("/audiences?name=list").await;
    assert!(first.contains(">List 51<") && first.contains(">List 02<") && !first.contains(">List 01<"), "{first}");
    let next = first.split_once("rel=\"next\"").unwrap().0.rsplit_once("href=\"").unwrap().1;
    let second = browser.shown(&next.trim_end_matches(['"', ' ']).replace("&#38;", "&")).await;
    assert!(second.contains(">List 01<") && second.contains(">List 00<") && !second.contains(">List 02<"), "{second}");
    let found = browser.shown("/audiences?name=LIST+17").await;
    assert!(found.contains(">List 17<") && !found.contains(">List 18<"), "{found}");
    assert!(browser.shown("/audiences?name=zzz").await.contains("Nothing was found."));
}

#[tokio::test]
async fn a_page_says_how_a_file_was_read_and_what_to_do_about_it() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let file = "Mobile,Name\n+6591234567 / +6591234568,Ann\n+6567654321,Bob\n";
    browser.import(&bench, "Odd.csv", file, &[]).await;
    let page = browser.shown("/audiences/Odd").await;
    for says in [
        "1 row contains several numbers (line 2); the first valid one was used.",
        "1 number is a landline or service number (line 3); few messages arrive there.",
        "upload the file again with “Mobile numbers only”",
    ] {
        assert!(page.contains(says), "{says} in {page}");
    }
    assert!(!page.contains("--lines"), "a command is no advice here: {page}");
    browser.import(&bench, "Plain.csv", "Mobile\n+6591234567\n", &[]).await;
    assert!(!browser.shown("/audiences/Plain").await.contains("How the file was read"));
}

#[tokio::test]
async fn landlines_are_left_out_on_request_and_when_rows_are_corrected() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let file = "Mobile,Name\n+6591234567,Ann\n+6567654321,Bob\n";
    browser.import(&bench, "Odd.csv", file, &[("lines", "mobile")]).await;
    assert_eq!(recipients(&bench, "Odd").await, [["+6591234567", "Ann"]]);
    let page = browser.shown("/audiences/Odd/rejected").await;
    assert!(page.contains("<option value=\"mobile\" selected>Mobile numbers only</option>"), "{page}");
    let unchanged: Vec<(String, String)> = numbers(&page);
    let mut fields: Vec<(&str, &str)> = unchanged.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.extend([("unchanged", "true"), ("lines", "")]);
    mend(&browser, &bench, "Odd", &fields).await;
    assert_eq!(recipients(&bench, "Odd").await, [["+6591234567", "Ann"], ["+6567654321", "Bob"]]);
    // A corrected file takes what its own form says.
    let corrected = [("corrects", "Odd"), ("file-lines", "")];
    browser.import(&bench, "Odd.csv", "Mobile,Name\n+6567654322,Cay\n", &corrected).await;
    assert_eq!(recipients(&bench, "Odd").await[2], ["+6567654322", "Cay"]);
    let token = ("form_token", browser.form_token.as_str());
    let wrong = browser.send(with_file("/uploads", &[token, ("lines", "all")], "Odd.csv", file)).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("use any or mobile"), "{}", wrong.text);
}

#[tokio::test]
async fn rejected_rows_are_shown_by_reason_and_hostile_cells_stay_text() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.import(&bench, "Members.csv", MESSY, &[]).await;
    let all = browser.shown("/audiences/Members/rejected").await;
    for says in [
        ">3<",
        ">4<",
        ">5<",
        ">6<",
        "value=\"12\"",
        "value=\"9123 456\"",
        "&#60;script&#62;",
        "=1+1",
        "‹U+202E›gpj.exe",
        "␛[31m",
    ] {
        assert!(all.contains(says), "{says} in {all}");
    }
    assert!(!all.contains("<script>alert") && !all.contains('\u{202e}') && !all.contains('\u{1b}'), "{all}");
    // A duplicate has no number to correct.
    assert_eq!(numbers(&all).len(), 3, "{all}");
    let short = browser.shown("/audiences/Members/rejected?reason=too+short").await;
    assert!(short.contains("has too few digits") && !short.contains("Ann again"), "{short}");
    // An unknown reason is none.
    assert!(browser.shown("/audiences/Members/rejected?reason=zzz").await.contains("Ann again"));
    let csv = browser.get("/audiences/Members/rejected/csv").await;
    assert!(csv.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines[0], "\u{feff}Mobile,First name,Code,line,reason");
    assert_eq!(lines[1], "12,<script>alert(1)</script>,'=1+1,3,too short");
    assert_eq!(lines[2], "+6591234567,Ann again,A2,4,duplicate");
    assert_eq!(lines.len(), 5, "{}", csv.text);
    let one = browser.get("/audiences/Members/rejected/csv?reason=no+number").await;
    assert_eq!(one.text.lines().nth(1), Some(",Nobody,N1,6,no number"));
}

#[tokio::test]
async fn many_rejected_rows_have_pages_that_keep_their_reason() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let long = "x".repeat(3_000);
    let rows: String = (0..60).map(|row| format!("{row},Name {row},{long}\n+6591234567,Twice {row},\n")).collect();
    browser.import(&bench, "Many.csv", &format!("Mobile,First name,Note\n+6591234567,Ann,\n{rows}"), &[]).await;
    let first = browser.shown("/audiences/Many/rejected?reason=too+short").await;
    assert_eq!(numbers(&first).len(), 50, "{first}");
    assert!(!first.contains("Twice") && first.contains("Name 49<") && !first.contains("Name 50<"), "{first}");
    let next = first.split_once("rel=\"next\"").unwrap().0.rsplit_once("href=\"").unwrap().1;
    let second = browser.shown(&next.trim_end_matches(['"', ' ']).replace("&#38;", "&")).await;
    assert!(second.contains("Name 50<") && second.contains("Name 59<") && !second.contains("Twice"), "{second}");
    assert_eq!(numbers(&second).len(), 10);
}

#[tokio::test]
async fn corrected_rows_go_into_their_audience_and_are_listed_no_more() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.import(&bench, "Members.csv", MESSY, &[]).await;
    let page = browser.shown("/audiences/Members/rejected?reason=too+short").await;
    assert!(page.contains("value=\"SG\""), "the country of the import: {page}");
    let fields = numbers(&page);
    let kept: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let unchanged =
        mend(&browser, &bench, "Members", &[&kept[..], &[("reason", "too short"), ("country", "SG")]].concat()).await;
    assert!(browser.shown(place(&unchanged)).await.contains("No number was changed"), "{}", place(&unchanged));
    let changed = [(kept[0].0, "9876 5432"), kept[1], ("country", "SG"), ("reason", "too short")];
    let sent = mend(&browser, &bench, "Members", &changed).await;
    let done = browser.get(place(&sent)).await;
    assert_eq!(place(&done), "/audiences/Members?done=imported");
    let mended = bench.store.audience_named("Members").await.unwrap().unwrap();
    assert_eq!((mended.columns.len(), mended.recipients(), mended.parts.len()), (3, 2, 2));
    let row = ["9876 5432", "<script>alert(1)</script>", "=1+1"].map(str::to_owned);
    let added = bench.store.recipients(mended.parts[1].id, 0, 9).await.unwrap();
    assert_eq!(added[0].fields.unpack().unwrap(), row);
    let audience = browser.shown(place(&done)).await;
    assert!(!audience.contains("<script>alert"));
    assert!(audience.contains("4 <span class=\"quiet\">80.0 %"), "five rows, one without a number: {audience}");
    let left = browser.shown("/audiences/Members/rejected").await;
    assert_eq!((numbers(&left).len(), left.contains("alert(1)")), (2, false), "{left}");
    assert!(left.contains("All reasons <span class=\"quiet\">3</span>"), "{left}");
    // If none of the rows is right or new, nothing is added, and that is said.
    let fields = numbers(&left);
    let wrong = mend(&browser, &bench, "Members", &[(fields[0].0.as_str(), "+6591234567")]).await;
    let failed = browser.shown(place(&wrong)).await;
    assert!(failed.contains("nothing was added") && failed.contains("role=\"alert\""), "{failed}");
    // A number that is still wrong is a rejected row again, with its reason.
    let fields = numbers(&left);
    let short = fields.iter().find(|(_, value)| value.contains("9123")).unwrap();
    let changed = [(short.0.as_str(), "91"), (fields[1].0.as_str(), "+6598765433"), ("country", "SG")];
    mend(&browser, &bench, "Members", &changed).await;
    let left = browser.shown("/audiences/Members/rejected").await;
    assert_eq!(numbers(&left).iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["91"]);
}

#[tokio::test]
async fn all_rows_of_a_reason_are_corrected_at_once() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let rows: String = (0..120).map(|n| format!("9123{n:04},N{n}\n")).collect();
    browser.import(&bench, "List.csv", &format!("Mobile,Name\n+6591234567,Ann\n{rows}"), &[("country", "")]).await;
    let upload = bench.shared.0.native.uploads().list().remove(0).id;
    let fields = [("upload", upload.as_str()), ("answered", "true"), ("country", "")];
    browser.post("/uploads/import", &fields).await;
    bench.imports.ended().await;
    assert_eq!(recipients(&bench, "List").await.len(), 1);
    let page = browser.shown("/audiences/List/rejected?reason=country+missing").await;
    assert!(page.contains("<button name=\"all\" value=\"true\">Import all 120 rows of this reason</button>"), "{page}");
    // What was entered on the page counts as well.
    let shown = numbers(&page);
    let fields =
        [(shown[0].0.as_str(), "9888 0000"), ("all", "true"), ("reason", "country missing"), ("country", "SG")];
    mend(&browser, &bench, "List", &fields).await;
    let audience = bench.store.audience_named("List").await.unwrap().unwrap();
    assert_eq!((audience.recipients(), audience.parts.len()), (121, 2));
    let first = bench.store.recipients(audience.parts[1].id, 0, 1).await.unwrap().remove(0);
    assert_eq!(first.fields.unpack().unwrap(), ["9888 0000", "N0"]);
    assert!(browser.shown("/audiences/List/rejected").await.contains("No row was rejected."));
}

#[tokio::test]
async fn a_file_with_numbers_without_a_country_is_stored_once_that_is_answered() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let file = "Mobile,Name\n+6591234567,Ann\n98765432,Ben\n98765433,Cay\n";
    let progress = browser.import(&bench, "List.csv", file, &[("country", ""), ("lines", "mobile")]).await;
    let asked = browser.shown(&progress).await;
    for says in [
        "2 of 3 rows have a number without a country code.",
        "Nothing is stored yet. Which country are they from?",
        "<option value=\"mobile\" selected>",
    ] {
        assert!(asked.contains(says), "{says} in {asked}");
    }
    assert!(!asked.contains("http-equiv=\"refresh\"") && bench.store.audience_named("List").await.unwrap().is_none());
    let answer = async |upload: &str, country: &str| {
        let fields = [("upload", upload), ("answered", "true"), ("country", country), ("lines", "mobile")];
        let sent = browser.post("/uploads/import", &fields).await;
        bench.imports.ended().await;
        place(&browser.get(place(&sent)).await).to_owned()
    };
    let upload = progress.rsplit('/').next().unwrap();
    assert_eq!(answer(upload, "SG").await, "/audiences/List?done=imported");
    assert_eq!(recipients(&bench, "List").await.len(), 3);
    // Without a country, the others are imported alone. No row of this file lacks one.
    let progress = browser.import(&bench, "Second.csv", file, &[("country", "")]).await;
    assert_eq!(answer(progress.rsplit('/').next().unwrap(), "").await, "/audiences/Second?done=imported");
    assert_eq!(recipients(&bench, "Second").await.len(), 1);
    browser.import(&bench, "Third.csv", "Mobile,Name\n+6591234567,Ann\n,Nobody\n", &[("country", "")]).await;
    assert_eq!(recipients(&bench, "Third").await.len(), 1);
}

#[tokio::test]
async fn of_two_clicks_on_the_import_of_corrected_rows_one_imports() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.import(&bench, "Members.csv", MESSY, &[]).await;
    let shown = browser.shown("/audiences/Members/rejected?reason=too+short").await;
    assert!(shown.contains("<option value=\"SG\" selected>Singapore (SG)</option>"), "{shown}");
    for page in ["/audiences", "/opt-outs/add"] {
        assert!(browser.shown(page).await.contains("<option value=\"SG\">Singapore (SG)</option>"), "{page}");
    }
    let fields = numbers(&shown);
    let changed = [(fields[0].0.as_str(), "9876 5432"), ("country", "SG")];
    let path = "/audiences/Members/mend";
    let (first, second) = futures_util::future::join(browser.post(path, &changed), browser.post(path, &changed)).await;
    assert_eq!((first.status, place(&first)), (StatusCode::SEE_OTHER, place(&second)), "{}", first.text);
    bench.imports.ended().await;
    let later = mend(&browser, &bench, "Members", &changed).await;
    assert!(browser.shown(place(&later)).await.contains("the rows are corrected already"), "{}", place(&later));
    assert_eq!(bench.store.audience_named("Members").await.unwrap().unwrap().recipients(), 2);
}

#[tokio::test]
async fn a_field_of_another_audience_mends_nothing() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.import(&bench, "Members.csv", MESSY, &[]).await;
    browser.import(&bench, "Guests.csv", MESSY, &[]).await;
    let fields = numbers(&browser.shown("/audiences/Guests/rejected").await);
    let sent =
        mend(&browser, &bench, "Members", &[(fields[0].0.as_str(), "98765432"), ("n-x-1", "1"), ("n-1-", "2")]).await;
    assert!(place(&sent).contains("done=unchanged"), "{}", place(&sent));
}

#[tokio::test]
async fn a_corrected_file_goes_into_its_audience_without_line_and_reason() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.import(&bench, "Members.csv", MESSY, &[]).await;
    let csv = browser.get("/audiences/Members/rejected/csv?reason=too+short").await.text;
    let corrected = csv.replacen("\n12,", "\n+6598765432,", 1);
    browser.import(&bench, "rejected.csv", &corrected, &[("corrects", "Members")]).await;
    let mended = bench.store.audience_named("Members").await.unwrap().unwrap();
    assert_eq!((mended.columns.len(), mended.recipients(), mended.parts.len()), (3, 2, 2));
    let other =
        browser.import(&bench, "other.csv", "Mobile,City\n+6598765432,Bonn\n", &[("corrects", "Members")]).await;
    let failed = browser.shown(&other).await;
    assert!(failed.contains("role=\"alert\"") && failed.contains("City"), "{failed}");
}

#[tokio::test]
async fn corrected_rows_join_the_unfinished_campaign() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let check = author.get("check").await;
    let id = author.at.rsplit('/').next().unwrap();
    let link = format!("/audiences/Members/rejected?reason=too+short&#38;sketch={id}");
    assert!(check.contains(&link), "{link} in {check}");
    let page = author.browser.shown(&link.replace("&#38;", "&")).await;
    assert!(page.contains(&format!("href=\"{}/check\"", author.at)), "{page}");
    let fields = numbers(&page);
    let changed = [(fields[0].0.as_str(), "98765432"), ("country", "SG"), ("sketch", id)];
    let sent = mend(&author.browser, &bench, "Members", &changed).await;
    let done = author.browser.get(place(&sent)).await;
    assert_eq!(place(&done), format!("{}/check", author.at), "{}", done.text);
    assert!(author.get("review").await.contains("Launch to 4 recipients"));
}

#[tokio::test]
async fn a_campaign_begins_with_an_audience_and_is_listed_there() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let begun = author.browser.post("/audiences/Members/campaign", &[]).await;
    assert!(place(&begun).ends_with("/check"), "{}", begun.text);
    assert!(author.browser.shown(place(&begun)).await.contains("FirstName"));
    author.fill_review(&[("name", "Promo <b>"), ("do", "launch")]).await;
    let page = author.browser.shown("/audiences/Members").await;
    assert!(page.contains("Promo &#60;b&#62;") && page.contains("href=\"/campaigns/"), "{page}");
}

#[tokio::test]
async fn an_audience_is_deleted_once_no_campaign_uses_it() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    author.browser.import(&bench, "Unused.csv", FILE, &[]).await;
    let asked = author.browser.shown("/audiences/Members/delete").await;
    assert!(asked.contains("need another audience") && asked.contains(&author.at), "{asked}");
    author.fill_review(&[("name", "Promo"), ("do", "launch")]).await;
    let refused = author.browser.shown("/audiences/Members/delete").await;
    assert!(refused.contains("Campaigns use this audience") && refused.contains(">Promo<"), "{refused}");
    let in_use = author.browser.post("/audiences/Members/delete", &[]).await;
    assert_eq!(in_use.status, StatusCode::CONFLICT, "{}", in_use.text);
    let gone = author.browser.post("/audiences/Unused/delete", &[]).await;
    assert_eq!(place(&gone), "/audiences?done=deleted");
    let list = author.browser.shown(place(&gone)).await;
    assert!(list.contains("The audience is deleted.") && !list.contains(">Unused<"), "{list}");
}

#[tokio::test]
async fn an_operator_who_may_only_read_sees_rows_and_changes_nothing() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.import(&bench, "Members.csv", MESSY, &[]).await;
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let rows = reader.shown("/audiences/Members/rejected").await;
    assert!(rows.contains("9123 456") && numbers(&rows).is_empty() && !rows.contains("type=\"file\""), "{rows}");
    for page in ["/audiences", "/audiences/Members"] {
        let shown = reader.shown(page).await;
        assert!(
            !shown.contains("type=\"file\"") && !shown.contains("/delete\"") && !shown.contains("/campaign\""),
            "{shown}"
        );
    }
    for path in ["mend", "campaign", "delete"] {
        let refused = reader.post(&format!("/audiences/Members/{path}"), &[]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(reader.get("/audiences/Members/delete").await.status, StatusCode::FORBIDDEN);
    assert_eq!(reader.post("/uploads/import", &[]).await.status, StatusCode::FORBIDDEN);
    let fields = [("form_token", reader.form_token.as_str())];
    let refused = reader.send(with_file("/uploads", &fields, "x.csv", FILE)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    let foreign = browser.send(with_file("/uploads", &[("form_token", "wrong")], "x.csv", FILE)).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{}", foreign.text);
}

#[tokio::test]
async fn a_name_that_would_be_html_or_a_path_is_an_audience_like_others() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let name = "a&b <i>?#+% é";
    browser.import(&bench, &format!("{name}.csv"), MESSY, &[]).await;
    let list = browser.shown("/audiences").await;
    assert!(!list.contains("<i>"), "{list}");
    let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let path = format!("/audiences/{}", encoded.replace('+', "%20"));
    assert!(list.contains(&format!("href=\"{path}\"")), "{path} in {list}");
    for page in ["", "/rejected", "/delete"] {
        let shown = browser.shown(&format!("{path}{page}")).await;
        assert!(!shown.contains("<i>") && shown.contains("a&#38;b"), "{shown}");
    }
}

/// An audience whose import has rejected four rows and stored some of them.
async fn with_rejects(bench: &Bench, name: &str, stored: u32) {
    let new = NewAudience {
        known_as: KnownAs::Name(name.to_owned()),
        source: "old.csv".to_owned(),
        columns: vec!["Mobile".to_owned()],
        now: bench.shared.clock.now(),
    };
    let audience = bench.store.begin_audience(new).await.unwrap();
    let row = |line| RejectedRow {
        line,
        reason: "too short".into(),
        msisdn: None,
        fields: Fields::pack(["12"]),
        other_msisdn: None,
        is_cut: false,
    };
    bench.store.add_rejected(audience, 0, (0..u64::from(stored)).map(row).collect()).await.unwrap();
    let record = format!(
        r#"{{"version":1,"rejects":{stored},"summary":{{"rows":5,"valid":1,"number_column":"Mobile","columns":["Mobile"],
            "reasons":{{"too short":4}}}}}}"#
    );
    bench.store.publish_audience(audience, 1, record).await.unwrap();
}

#[tokio::test]
async fn rows_that_are_not_stored_are_named() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    with_rejects(&bench, "many", 3).await;
    with_rejects(&bench, "old", 0).await;
    let many = browser.shown("/audiences/many/rejected").await;
    assert!(
        many.contains("The first 3 of 4 rejected rows are stored and shown.") && numbers(&many).len() == 3,
        "{many}"
    );
    let old = browser.shown("/audiences/old/rejected").await;
    assert!(old.contains("did not store these rows") && !old.contains("/rejected/csv"), "{old}");
    assert!(browser.shown("/audiences").await.contains("by command"));
}

#[tokio::test]
async fn a_row_too_long_to_be_stored_is_cut_and_cannot_be_mended() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let long = format!("Mobile,Note\n+6591234567,ok\n12,{}\n13,short\n", "n".repeat(100_000));
    browser.import(&bench, "long.csv", &long, &[]).await;
    let page = browser.shown("/audiences/long/rejected").await;
    assert!(page.contains("stored in part") && page.contains("nnn…"), "{page}");
    let fields = numbers(&page);
    assert_eq!(fields.len(), 1, "only the short row can be mended: {fields:?}");
    let csv = browser.get("/audiences/long/rejected/csv").await.text;
    assert!(csv.contains("n… (cut),3,too short") && csv.len() < 70_000, "{} bytes", csv.len());
    let cut = format!("{}0", fields[0].0.strip_suffix('1').unwrap());
    let refused = browser.post("/audiences/long/mend", &[(&cut, "+6591234568"), ("country", "SG")]).await;
    assert!(place(&refused).contains("done=unchanged"), "{}", refused.text);
}

#[tokio::test]
async fn a_file_with_hundreds_of_columns_and_long_cells_gives_no_long_page() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let names: String = (0..300).map(|column| format!(",Column number {column}")).collect();
    let row = format!(",{}", "<&>".repeat(40)).repeat(300);
    let rows: String = (0..60).map(|line| format!("{line}{row}\n")).collect();
    author.upload("Wide.csv", &format!("Mobile{names}\n+6591234567{row}\n{rows}")).await;
    for path in ["/audiences/Wide", "/audiences/Wide/rejected", &format!("{}/check", author.at)] {
        author.browser.shown(path).await;
    }
}

#[tokio::test]
async fn a_country_is_chosen_from_a_list_and_a_wrong_one_is_refused() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.import(&bench, "Members.csv", MESSY, &[]).await;
    let fields = numbers(&browser.shown("/audiences/Members/rejected?reason=too+short").await);
    let sent = [(fields[0].0.as_str(), "98765432"), ("country", "Mars"), ("reason", "too short")];
    let wrong = browser.post("/audiences/Members/mend", &sent).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text);
    assert!(wrong.text.contains("nknown country"), "{}", wrong.text);
    assert_eq!(recipients(&bench, "Members").await.len(), 1);
}
