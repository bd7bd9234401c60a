//! The lists of opt-outs: search, export, and new ones by hand or with a file.

use axum::extract::State;
use axum::http::{Request, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream;
use serde::Deserialize;
use url::form_urlencoded;

use super::super::admit::Session;
use super::super::audiences::{broken, country_of, foreign, form_with_file, no_file, received, short};
use super::super::download;
use super::super::form::Form;
use super::super::frame::{page, refused};
use super::show::opt_out_line;
use super::{after_cursor, number_of};
use crate::base::domain::text::capital;
use crate::base::domain::{Address, Keyword, OptOutOf, Scope, WishSubject};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Problem, Query, change_listed, cut, decided_how, list_options};
use crate::http::pages::{
    AddOptOutsPage, ConsentDone, OptOutRow, OptOutsPage, Opted, Part, Place, country_field, purpose_field,
};
use crate::recipients::audience::{ListedNumbers, OptOutChangeView, Source};
use crate::store::{Cursor, OptOut};

/// Opt-outs of a page.
const SHOWN: u32 = 50;
/// Lines of the form.
const LINES: usize = 3_000;
/// Opt-outs of an export that are read at once.
const EXPORTED: u32 = 5_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OptOutsQuery {
    number: String,
    cursor: String,
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    done: Option<ConsentDone>,
    /// How many were just opted out.
    #[serde(flatten)]
    opted: OptedQuery,
}

/// The same as [`Opted`], in an address, where everything is text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OptedQuery {
    changed: String,
    unchanged: String,
    duplicates: String,
    invalid: String,
}

impl OptedQuery {
    fn read(&self) -> Option<Opted> {
        let number = |text: &str| text.parse().unwrap_or_default();
        Some(Opted {
            changed: self.changed.parse().ok()?,
            unchanged: number(&self.unchanged),
            duplicates: number(&self.duplicates),
            invalid: number(&self.invalid),
        })
    }
}

/// The address of the list, with what was done.
fn after(opted: &Opted) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, number) in [
        ("changed", opted.changed),
        ("unchanged", opted.unchanged),
        ("duplicates", opted.duplicates),
        ("invalid", opted.invalid),
    ] {
        query.append_pair(name, &number.to_string());
    }
    format!("/opt-outs?{}", query.finish())
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<OptOutsQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    let number = query.number.trim().to_owned();
    let searched = number_of(&number).map(Address::Number).or_else(|| number.parse().ok());
    let cursors = shared.cursors("opt-out-pages", &()).await?;
    let from = cursors.position::<Cursor>(&query.cursor)?;
    let (mut rows, mut next) = (Vec::new(), None);
    if let Some(address) = &searched {
        rows.extend(shared.store.opt_outs_of(address.clone()).await?.into_iter().map(row));
    } else if number.is_empty() {
        let mut found = shared.store.opt_outs(from.unwrap_or(Cursor::START), SHOWN + 1).await?;
        next = cut(&mut found, SHOWN).map(|(last, _)| cursors.write(last)).transpose()?;
        rows = found.into_iter().map(|(_, opt_out)| row(opt_out)).collect();
    }
    let mut frame = session.frame(Place::OptOuts);
    let own = frame.texts().on_recipients;
    let opted = query.opted.read().map(|opted| own.opted(&opted));
    frame.notice = opted.or_else(|| query.done.map(|done| own.consent_done(done).to_owned()));
    page(&OptOutsPage {
        frame,
        rows,
        number,
        searched,
        is_later: from.is_some(),
        next: next.map(|next| after_cursor(&uri, &next)),
    })
}

fn row(opt_out: OptOut) -> OptOutRow {
    OptOutRow { address: opt_out.address.clone(), wish: opt_out_line(opt_out) }
}

pub(super) async fn ask(session: Session, call: Call) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    page(&AddOptOutsPage::new(session.frame(Place::Below(Part::Audiences))))
}

/// What a form asks to opt out of.
pub(super) fn asked_of(purpose: &str) -> Answer<OptOutOf> {
    if purpose.is_empty() {
        return Ok(OptOutOf::Everything);
    }
    purpose.parse().map_err(|error| Problem::new(Kind::Invalid, error))
}

/// Opts out what was entered. Lines that are no numbers stay in the form.
pub(super) async fn add(State(shared): State<Shared>, session: Session, call: Call, form: Form) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let reason = form.reason()?;
    let of = asked_of(form.get("purpose").unwrap_or_default())?;
    let text = form.get("numbers").unwrap_or_default();
    let lines: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let mut shown = AddOptOutsPage {
        numbers: text.to_owned(),
        country: country_field("country", form.get("country").unwrap_or_default()),
        purpose: purpose_field("purpose", of),
        reason: reason.unwrap_or_default().to_owned(),
        ..AddOptOutsPage::new(session.frame(Place::Below(Part::Audiences)))
    };
    let own = shown.frame.texts().on_recipients;
    if lines.is_empty() || lines.len() > LINES {
        let problem = if lines.is_empty() { own.none_entered.to_owned() } else { own.too_many(LINES) };
        shown.numbers_problem = Some(problem);
        return refused(&shown);
    }
    let country = country_of(form.get("country").unwrap_or_default())?;
    let options = list_options(country, Keyword::Stop);
    let listed = ListedNumbers::read(lines.clone(), None, options).await.map_err(|error| Problem::failed(&error))?;
    let opted = carried_out(&shared, &listed, of, &decided_how(&call, None, reason)).await?;
    if listed.invalid_entries.is_empty() {
        return Ok(Redirect::to(&after(&opted)).into_response());
    }
    let invalid: Vec<&str> = listed.invalid_entries.iter().filter_map(|entry| line_at(&lines, *entry)).collect();
    shown.numbers = invalid.join("\n");
    shown.numbers_problem = Some(own.unread(listed.summary.invalid));
    // What could be read is opted out, so the form is no failure.
    let is_some = opted.changed + opted.unchanged > 0;
    shown.frame.notice = is_some.then(|| own.opted(&Opted { invalid: 0, ..opted }));
    if is_some { page(&shown) } else { refused(&shown) }
}

/// The line at a position from 1.
fn line_at(lines: &[String], position: u64) -> Option<&str> {
    lines.get(usize::try_from(position).ok()?.checked_sub(1)?).map(String::as_str)
}

async fn carried_out(shared: &Shared, listed: &ListedNumbers, of: OptOutOf, how: &str) -> Answer<Opted> {
    let subject = WishSubject { of, senders: None };
    let changed = change_listed(shared, listed, (Keyword::Stop, &subject), how).await?;
    let OptOutChangeView { unchanged, invalid, duplicates, .. } = OptOutChangeView::new(listed, changed, None);
    Ok(Opted { changed, unchanged, duplicates, invalid })
}

/// Opts out the numbers of a file. The file itself is not kept.
pub(super) async fn add_file(
    State(shared): State<Shared>,
    session: Session,
    call: Call,
    request: Request<axum::body::Body>,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let mut form = form_with_file(&shared, request).await?;
    let (mut is_own, mut country, mut reason) = (false, String::new(), String::new());
    let mut of = OptOutOf::Everything;
    while let Some(mut part) = form.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" => {
                // The token comes first, so nothing of a foreign form is stored.
                if !is_own {
                    return Err(foreign());
                }
                let country = country_of(&country)?;
                let (upload, name) = received(&shared, part).await?;
                let read = match shared.0.native.imports().file(upload) {
                    Ok(file) => {
                        let options = list_options(country, Keyword::Stop);
                        Ok(ListedNumbers::read(Vec::new(), Some(Source::Upload(file)), options).await)
                    }
                    Err(refused) => Err(refused),
                };
                shared.0.native.uploads().remove(upload).await?;
                let reason = Some(reason.as_str()).filter(|reason| !reason.is_empty());
                return taken(&shared, &session, (of, &decided_how(&call, Some(&name), reason)), read?).await;
            }
            "form_token" => is_own = session.0.form_token.matches(&short(&mut part).await?),
            "file-country" => country = short(&mut part).await?,
            "file-purpose" => of = asked_of(&short(&mut part).await?)?,
            "reason" => reason = short(&mut part).await?,
            _ => {}
        }
    }
    Err(no_file())
}

/// The answer to a file that was read, or could not be.
async fn taken(
    shared: &Shared,
    session: &Session,
    (of, how): (OptOutOf, &str),
    read: Result<ListedNumbers, crate::recipients::audience::Error>,
) -> Answer<Response> {
    let mut shown = AddOptOutsPage::new(session.frame(Place::Below(Part::Audiences)));
    let problem = match read {
        Ok(listed) if listed.is_empty() => shown.frame.texts().on_recipients.none_in_file.to_owned(),
        Ok(listed) => {
            let opted = carried_out(shared, &listed, of, how).await?;
            return Ok(Redirect::to(&after(&opted)).into_response());
        }
        Err(error) => format!("{}.", capital(&error.to_string())),
    };
    shown.file_problem = Some(problem);
    refused(&shown)
}

/// Every opt-out as CSV: the numbers, and then the ids of channels.
pub(super) async fn export(State(shared): State<Shared>) -> Answer<Response> {
    let header = ["number or id", "channel", "of", "since", "by", "how"].map(str::to_owned).to_vec();
    let store = std::sync::Arc::clone(&shared.store);
    let pages = stream::try_unfold(Cursor::START, move |after| {
        let store = std::sync::Arc::clone(&store);
        async move {
            let page = store.opt_outs(after, EXPORTED).await?;
            let last = page.last().map(|(last, _)| *last);
            Ok(last.map(|last| (page.into_iter().map(|(_, opt_out)| cells(opt_out)).collect(), last)))
        }
    });
    download::table(&shared, None, "opt-outs.csv", header, pages)
}

fn cells(OptOut { address, of, since, from, source }: OptOut) -> Vec<String> {
    let channel = address.user().map(|user| user.channel.to_string()).unwrap_or_default();
    vec![address.to_string(), channel, of.to_string(), since.rfc3339(), from.to_string(), source]
}
