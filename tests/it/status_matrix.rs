//! Every status and every kind of cut, by a provider that processed the request or did not, judged by its own
//! journal.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use volley::base::domain::{Channel, Span, StepIndex};
use volley::campaigns::campaign::Launched;
use volley::store::Verdict;

use crate::support::fake_provider::{Answer, Body, End, FakeProvider, Framing, Place, ReadAs, Reply, Then};
use crate::support::sending::{Fate, Lanes, Sending};
use crate::support::until;

/// Recipients of one campaign.
const RECIPIENTS: u32 = 3;
/// Recipients where a lane must be held for refusals of two messages: others are left once all connections had one.
const MANY_RECIPIENTS: u32 = 2 * CONNECTIONS;
const CONNECTIONS: u32 = 4;
/// Campaigns of one server at the same time. Most wait until a refused message is due again.
const AT_ONCE: usize = 24;
const PATIENCE: Span = Span::from_secs(60);
/// The time that a throttling provider asks for.
const ASKED: Span = Span::from_secs(1);

/// What must happen to the messages of such a request.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Accepted, with an id.
    Accepted,
    /// Unknown: not resent, and no reason for another channel.
    Unknown,
    /// The connection ended before anything was read: unknown, or sent again if nothing had been offered.
    UnknownOrSent,
    /// Refused because of the sender: the lane is held with this text, and no message falls back.
    Holds(&'static str),
    /// Refused without a known code until somebody releases the lane: another message is refused alike, and the lane is
    /// held with this text.
    HoldsAlike(&'static str),
    /// Refused once without a known code: others are accepted, and the refused one is sent again.
    AgainAlone,
    /// Throttled: the same message again, not before the requested time.
    Again(Option<Span>),
    /// Refused because of this recipient: the next channel. A refused batch, which may not name the message, is sent one
    /// by one.
    OfRecipient,
}

#[derive(Debug, Clone)]
struct Cell {
    name: String,
    rule: Rule,
    reply: Reply,
    /// How many requests get this answer before the provider behaves well.
    requests: usize,
    recipients: u32,
    batch: bool,
}

const HTML: Body = Body::Text("<html><title>Nothing lives here</title></html>");
const HTML_WORDS: &str = "Nothing lives here";
const UNKNOWN_CODE: Body = Body::Text(r#"{"code":9999,"message":"The moon is wrong"}"#);
const INVALID_NUMBER: Body = Body::Text(r#"{"code":1002,"message":"Invalid MSISDN"}"#);
const EMPTY: Body = Body::Text("");

fn answer(status: &'static str, body: Body) -> Then {
    Then::Answers(Answer::of(status, body))
}

fn with(status: &'static str, headers: &'static str, body: Body) -> Then {
    Then::Answers(Answer { headers, ..Answer::of(status, body) })
}

/// Ends after which the result is unknown.
fn unknown() -> Vec<(&'static str, Then)> {
    let mut ends = vec![
        ("101", answer("101 Switching Protocols", EMPTY)),
        ("200 HTML", answer("200 OK", HTML)),
        ("200 empty", answer("200 OK", EMPTY)),
        ("200 {}", answer("200 OK", Body::Text("{}"))),
        ("200 []", answer("200 OK", Body::Text("[]"))),
        ("200 null", answer("200 OK", Body::Text("null"))),
        ("200 error", answer("200 OK", Body::Text(r#"{"code":1002,"message":"Invalid MSISDN"}"#))),
        ("200 without umid", answer("200 OK", Body::Nameless)),
        ("200 without messages", answer("200 OK", Body::Unnamed)),
        ("200 half of the JSON", answer("200 OK", Body::Half)),
        ("200 until close", Then::Answers(Answer { framing: Framing::UntilClose, ..Answer::of("200 OK", Body::Half) })),
        ("202 empty", answer("202 Accepted", EMPTY)),
        ("204", Then::Answers(Answer { framing: Framing::Bare, ..Answer::of("204 No Content", EMPTY) })),
        ("408", answer("408 Request Timeout", EMPTY)),
        ("408 JSON", answer("408 Request Timeout", INVALID_NUMBER)),
        ("500", answer("500 Internal Server Error", EMPTY)),
        ("500 HTML", answer("500 Internal Server Error", HTML)),
        ("500 2000", answer("500 Internal Server Error", Body::Text(r#"{"code":2000,"message":"Internal"}"#))),
        // A code that would blame the recipient if this were a refusal.
        ("500 1002", answer("500 Internal Server Error", INVALID_NUMBER)),
        ("501", answer("501 Not Implemented", EMPTY)),
        ("502", answer("502 Bad Gateway", HTML)),
        ("503", answer("503 Service Unavailable", EMPTY)),
        ("503 Retry-After", with("503 Service Unavailable", "Retry-After: 1\r\n", EMPTY)),
        ("503 429", answer("503 Service Unavailable", Body::Text(r#"{"code":429,"message":"Quota exceeded"}"#))),
        ("504", answer("504 Gateway Timeout", HTML)),
        ("505", answer("505 HTTP Version Not Supported", EMPTY)),
        ("506", answer("506 Variant Also Negotiates", EMPTY)),
        ("507", answer("507 Insufficient Storage", EMPTY)),
        ("508", answer("508 Loop Detected", EMPTY)),
        ("510", answer("510 Not Extended", EMPTY)),
        ("511", answer("511 Network Authentication Required", HTML)),
        ("520", answer("520 Web Server Returned an Unknown Error", HTML)),
        ("599", answer("599 Network Connect Timeout", EMPTY)),
        ("600", answer("600 Beyond", EMPTY)),
        ("no HTTP", Then::Answers(Answer { framing: Framing::Bare, ..Answer::of("\r\nSSH-2.0-Go", EMPTY) })),
    ];
    let cuts = [
        ("cut after the head", Place::AfterHead),
        ("cut after half of the body", Place::HalfOfBody),
        ("cut after the body", Place::AfterBody),
        ("cut in the head of the answer", Place::HalfOfAnswersHead),
        ("cut after the head of a 200", Place::AfterAnswersHead),
        ("cut in the body of a 200", Place::HalfOfAnswersBody),
    ];
    ends.extend(cuts.map(|(name, place)| (name, Then::Cuts(place, End::Fin))));
    ends.push(("reset after half of the body", Then::Cuts(Place::HalfOfBody, End::Reset)));
    ends.push(("reset after the body", Then::Cuts(Place::AfterBody, End::Reset)));
    ends.push(("reset in the body of a 200", Then::Cuts(Place::HalfOfAnswersBody, End::Reset)));
    ends.push(("cut in the body of a 500", Then::CutsBody(Answer::of("500 Internal Server Error", HTML))));
    ends
}

/// Answers that take longer than a request may.
fn endless() -> Vec<(&'static str, Then)> {
    vec![("never an answer", Then::Silence), ("an answer that drips", Then::Drips)]
}

fn accepted() -> Vec<(&'static str, Then)> {
    let interim = |interim| Then::Answers(Answer { interim, ..Answer::of("200 OK", Body::Taken) });
    vec![
        ("200", answer("200 OK", Body::Taken)),
        ("200 failed", answer("200 OK", Body::Failed)),
        ("201", answer("201 Created", Body::Taken)),
        ("202", answer("202 Accepted", Body::Taken)),
        ("100, then 200", interim("HTTP/1.1 100 Continue\r\n\r\n")),
        ("103, then 200", interim("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")),
        ("200 in chunks", Then::Answers(Answer { framing: Framing::Chunked, ..Answer::of("200 OK", Body::Taken) })),
        (
            "200 until close",
            Then::Answers(Answer { framing: Framing::UntilClose, ..Answer::of("200 OK", Body::Taken) }),
        ),
    ]
}

/// Refusals whose code names the sender, with the part of their text that the hold must show.
fn holding() -> Vec<(&'static str, &'static str, Then)> {
    vec![
        ("401 1200", "Wrong key", answer("401 Unauthorized", Body::Text(r#"{"code":1200,"message":"Wrong key"}"#))),
        ("404 1300", "Not found", answer("404 Not Found", Body::Text(r#"{"code":1300,"message":"Not found"}"#))),
    ]
}

/// Refusals without a known code, with the part of their text that a hold must show.
fn unclear() -> Vec<(&'static str, &'static str, Then)> {
    const LOCATION: &str = "Location: /api/v1/subaccounts/elsewhere/messages\r\n";
    let mut refusals = vec![
        ("300", "300", answer("300 Multiple Choices", EMPTY)),
        ("301", "301", with("301 Moved Permanently", LOCATION, EMPTY)),
        ("302", "302", with("302 Found", LOCATION, EMPTY)),
        ("303", "303", with("303 See Other", LOCATION, EMPTY)),
        ("304", "304", Then::Answers(Answer { framing: Framing::Bare, ..Answer::of("304 Not Modified", EMPTY) })),
        ("307", "307", with("307 Temporary Redirect", LOCATION, EMPTY)),
        ("308", "308", with("308 Permanent Redirect", LOCATION, EMPTY)),
        ("400 HTML", HTML_WORDS, answer("400 Bad Request", HTML)),
        ("400 empty", "400", answer("400 Bad Request", EMPTY)),
        ("400 unknown code", "The moon is wrong", answer("400 Bad Request", UNKNOWN_CODE)),
        ("400 cut in its body", "400", Then::CutsBody(Answer::of("400 Bad Request", INVALID_NUMBER))),
        ("401 HTML", HTML_WORDS, answer("401 Unauthorized", HTML)),
        ("403 HTML", HTML_WORDS, answer("403 Forbidden", HTML)),
        ("404 HTML", HTML_WORDS, answer("404 Not Found", HTML)),
        ("404 text", "no such host", answer("404 Not Found", Body::Text("no such host: chatapp.8x8.com"))),
        ("422 unknown code", "The moon is wrong", answer("422 Unprocessable Content", UNKNOWN_CODE)),
    ];
    let bare = [
        ("305", "305 Use Proxy"),
        ("306", "306 Switch Proxy"),
        ("402", "402 Payment Required"),
        ("405", "405 Method Not Allowed"),
        ("406", "406 Not Acceptable"),
        ("407", "407 Proxy Authentication Required"),
        ("409", "409 Conflict"),
        ("410", "410 Gone"),
        ("411", "411 Length Required"),
        ("412", "412 Precondition Failed"),
        ("413", "413 Content Too Large"),
        ("414", "414 URI Too Long"),
        ("415", "415 Unsupported Media Type"),
        ("416", "416 Range Not Satisfiable"),
        ("417", "417 Expectation Failed"),
        ("418", "418 I'm a teapot"),
        ("421", "421 Misdirected Request"),
        ("423", "423 Locked"),
        ("424", "424 Failed Dependency"),
        ("425", "425 Too Early"),
        ("426", "426 Upgrade Required"),
        ("428", "428 Precondition Required"),
        ("431", "431 Request Header Fields Too Large"),
        ("451", "451 Unavailable For Legal Reasons"),
        ("499", "499 Client Closed Request"),
    ];
    refusals.extend(bare.map(|(name, status)| (name, name, answer(status, EMPTY))));
    refusals
}

fn throttling() -> Vec<(&'static str, Option<Span>, Then)> {
    let words = r#"{"code":429,"message":"Quota exceeded. Please try again in 1 second(s)."}"#;
    vec![
        ("429", None, answer("429 Too Many Requests", EMPTY)),
        ("429 HTML", None, answer("429 Too Many Requests", HTML)),
        ("429 Retry-After", Some(ASKED), with("429 Too Many Requests", "Retry-After: 1\r\n", EMPTY)),
        ("429 in words", Some(ASKED), answer("429 Too Many Requests", Body::Text(words))),
    ]
}

/// Every cell except those of a provider that lies: a request processed and then refused, by a 429, without a known code or
/// because of its recipient, would be sent twice.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut add = |name: &str, rule, then: Then, carries_out| {
        for batch in [false, true] {
            let deed = if carries_out { "carried out" } else { "not carried out" };
            let how = if batch { "in a batch" } else { "alone" };
            let reply = Reply { carries_out, takes: Span::ZERO, then: then.clone() };
            let name = format!("{name}, {deed}, {how}");
            cells.push(match rule {
                Rule::HoldsAlike(_) => {
                    let name = format!("{name}, until the release");
                    Cell { name, rule, reply, requests: usize::MAX, recipients: MANY_RECIPIENTS, batch }
                }
                _ => Cell { name, rule, reply, requests: 1, recipients: RECIPIENTS, batch },
            });
        }
    };
    for (name, then) in unknown().into_iter().chain(endless()) {
        let may_be_carried_out = match then {
            Then::Cuts(place, _) => place.is_after_body(),
            _ => true,
        };
        for carries_out in [false, true].into_iter().take(1 + usize::from(may_be_carried_out)) {
            add(name, Rule::Unknown, then.clone(), carries_out);
        }
    }
    for (name, then) in accepted() {
        add(name, Rule::Accepted, then, true);
    }
    for (name, words, then) in holding() {
        add(name, Rule::Holds(words), then.clone(), false);
        add(name, Rule::Holds(words), then, true);
    }
    for (name, words, then) in unclear() {
        add(name, Rule::AgainAlone, then.clone(), false);
        add(name, Rule::HoldsAlike(words), then, false);
    }
    for (name, asked, then) in throttling() {
        add(name, Rule::Again(asked), then, false);
    }
    add("400 1002", Rule::OfRecipient, answer("400 Bad Request", INVALID_NUMBER), false);
    add("404 1002", Rule::OfRecipient, answer("404 Not Found", INVALID_NUMBER), false);
    add("cut before the head", Rule::UnknownOrSent, Then::Cuts(Place::BeforeHead, End::Fin), false);
    add("reset before the head", Rule::UnknownOrSent, Then::Cuts(Place::BeforeHead, End::Reset), false);
    // A batch is refused for one of its messages, which is refused again when it is sent alone.
    let twice = cells.iter().find(|cell| cell.batch && matches!(cell.rule, Rule::OfRecipient)).unwrap().clone();
    cells.push(Cell { name: format!("{}, and then alone", twice.name), requests: 2, ..twice });
    cells
}

/// A running cell.
struct Trial {
    cell: Cell,
    lanes: String,
    provider: FakeProvider,
    sending: Arc<Sending>,
    launched: Launched,
}

impl Trial {
    /// Whether the provider read it in a request that the cell describes.
    fn is_of_the_cell(&self, read: &ReadAs) -> bool {
        read.post < self.cell.requests
    }

    async fn judged(&self) -> Result<(), String> {
        match self.cell.rule {
            Rule::Holds(words) | Rule::HoldsAlike(words) => self.judge_hold(words).await,
            _ => {
                let fates = self.sending.submitted(&self.launched, &self.provider).await;
                let hold = self.sending.hold(&format!("WhatsApp-{}", self.lanes)).await;
                if let Some(hold) = hold {
                    return Err(format!("the lane is held: {}", hold.origin.hold_reason()));
                }
                self.judge(&fates)
            }
        }
    }

    fn judge(&self, fates: &[Fate]) -> Result<(), String> {
        for one in fates {
            self.judge_one(one).map_err(|wrong| format!("{wrong}: {one}"))?;
        }
        let unknown = fates.iter().filter(|one| one.is_unknown()).count();
        let fallen_back = fates.iter().filter(|one| one.present.step > StepIndex::FIRST).count();
        let whole = if self.cell.batch { fates.len() } else { 1 };
        match self.cell.rule {
            Rule::Unknown if unknown != whole => Err(format!("{unknown} unknown instead of {whole}")),
            Rule::UnknownOrSent if unknown > whole => Err(format!("{unknown} unknown instead of {whole} at most")),
            Rule::OfRecipient => {
                let wanted = if self.cell.batch { self.cell.requests - 1 } else { self.cell.requests };
                let is_so = fallen_back == wanted;
                if is_so { Ok(()) } else { Err(format!("{fallen_back} fell back instead of {wanted}")) }
            }
            _ => Ok(()),
        }
    }

    fn judge_one(&self, one: &Fate) -> Result<(), &'static str> {
        let [whatsapp, sms] = &one.deeds;
        if whatsapp.carried_out > 1 || sms.carried_out > 1 {
            return Err("carried out twice");
        }
        if whatsapp.channels.iter().any(|channel| channel != Channel::WhatsApp.as_str()) {
            return Err("one id on two channels");
        }
        let in_the_cell = whatsapp.reads.iter().any(|read| self.is_of_the_cell(read));
        let (reads, unknown) = (whatsapp.reads.len(), one.is_unknown());
        match self.cell.rule {
            _ if !matches!(self.cell.rule, Rule::OfRecipient) && !sms.reads.is_empty() => Err("a needless SMS"),
            Rule::Unknown | Rule::UnknownOrSent if reads > 1 => Err("sent again"),
            Rule::Unknown if in_the_cell && !unknown => Err("not unknown"),
            Rule::Unknown | Rule::UnknownOrSent if !in_the_cell && unknown && reads > 0 => Err("unknown, and was sent"),
            Rule::Unknown | Rule::UnknownOrSent if !unknown && whatsapp.carried_out != 1 => Err("never carried out"),
            Rule::Unknown | Rule::UnknownOrSent => Ok(()),
            Rule::Accepted | Rule::Again(_) | Rule::AgainAlone | Rule::OfRecipient if unknown => Err("unknown"),
            Rule::Accepted if reads != 1 => Err("not sent once"),
            Rule::Accepted if one.attempts.iter().any(|attempt| attempt.umid.is_none()) => Err("without its umid"),
            Rule::Accepted => Ok(()),
            Rule::Again(asked) => self.judge_again(&whatsapp.reads, asked),
            Rule::AgainAlone if whatsapp.carried_out != 1 => Err("never carried out"),
            Rule::AgainAlone if reads != 1 + usize::from(in_the_cell) => Err("not sent again once"),
            Rule::AgainAlone if in_the_cell && whatsapp.reads[1].of > 1 => Err("not sent again alone"),
            Rule::AgainAlone => Ok(()),
            Rule::OfRecipient => self.judge_refused(one),
            Rule::Holds(_) | Rule::HoldsAlike(_) => Err("not submitted by now"),
        }
    }

    fn judge_again(&self, reads: &[ReadAs], asked: Option<Span>) -> Result<(), &'static str> {
        let times = if self.is_of_the_cell(&reads[0]) { 2 } else { 1 };
        if reads.len() != times {
            return Err("not sent again once");
        }
        match asked {
            Some(asked) if times == 2 && reads[1].at.since(reads[0].at) < asked => Err("sent again too early"),
            _ => Ok(()),
        }
    }

    fn judge_refused(&self, one: &Fate) -> Result<(), &'static str> {
        let [whatsapp, sms] = &one.deeds;
        let alone: Vec<&ReadAs> = whatsapp.reads.iter().filter(|read| read.of == 1).collect();
        let is_refused_alone = alone.iter().any(|read| self.is_of_the_cell(read));
        let has_fallen_back = one.present.step > StepIndex::FIRST;
        if whatsapp.reads.len() > alone.len() + 1 || alone.len() != 1 {
            return Err("not sent alone once");
        }
        if has_fallen_back != is_refused_alone || sms.carried_out != usize::from(is_refused_alone) {
            return Err("fell back for nothing, or not at all");
        }
        let rejected = one.attempts.iter().filter(|attempt| attempt.verdict == Verdict::Rejected).count();
        if rejected == usize::from(is_refused_alone) { Ok(()) } else { Err("rejected for nothing, or not at all") }
    }

    /// Waits until the lane is held and nothing is in flight; then releases it and waits until everything is sent.
    async fn judge_hold(&self, words: &str) -> Result<(), String> {
        let lane = format!("WhatsApp-{}", self.lanes);
        let (hold, fates) = until("the lane is held", PATIENCE, || async {
            let fates = self.sending.fates(&self.launched, &self.provider).await;
            match self.sending.hold(&lane).await {
                Some(hold) if !fates.iter().any(Fate::is_sending) => Ok((hold, fates)),
                _ => Err(fates.iter().map(Fate::to_string).collect::<Vec<_>>().join("; ")),
            }
        })
        .await;
        for one in &fates {
            let [whatsapp, sms] = &one.deeds;
            let is_refused = whatsapp.reads.iter().any(|read| self.is_of_the_cell(read));
            let wrong = if !sms.reads.is_empty() || one.present.step > StepIndex::FIRST {
                "fell back"
            } else if whatsapp.reads.len() > 1 && matches!(self.cell.rule, Rule::Holds(_)) {
                "sent again"
            } else if one.is_unknown() || (is_refused && one.is_submitted()) {
                "not queued"
            } else {
                continue;
            };
            return Err(format!("{wrong}: {one}"));
        }
        if !hold.origin.hold_reason().contains(words) {
            return Err(format!("the hold says {:?}, and not {words:?}", hold.origin.hold_reason()));
        }
        if self.cell.reply.carries_out {
            return Ok(());
        }
        self.provider.is_well_again(Span::ZERO);
        self.sending.release(&lane).await;
        let fates = self.sending.submitted(&self.launched, &self.provider).await;
        match fates.iter().find(|one| one.is_unknown() || one.deeds[0].carried_out != 1 || one.deeds[1].carried_out > 0)
        {
            Some(one) => Err(format!("not carried out once after the release: {one}")),
            None => Ok(()),
        }
    }
}

/// Runs cells with one server, and lists those that failed.
async fn go_through(settings: String, cells: Vec<Cell>) -> Vec<String> {
    let mut trials = Vec::new();
    for (n, cell) in cells.into_iter().enumerate() {
        let provider = FakeProvider::start().await;
        let (reply, requests) = (cell.reply.clone(), cell.requests);
        provider.posts(move |post| if post < requests { reply.clone() } else { Reply::GOOD });
        trials.push((Lanes { name: n.to_string(), url: provider.url(), rate: "2000/s" }, cell, provider));
    }
    let (lanes, trials): (Vec<_>, Vec<_>) =
        trials.into_iter().map(|(lanes, cell, provider)| (lanes, (cell, provider))).unzip();
    let sending = Arc::new(Sending::start(&settings, &lanes).await);
    let (mut running, at_once) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for ((cell, provider), (lanes, n)) in trials.into_iter().zip(lanes.into_iter().zip(0..)) {
        let (sending, at_once) = (Arc::clone(&sending), Arc::clone(&at_once));
        running.spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            let first = n * MANY_RECIPIENTS;
            let launched = sending.launch(&lanes.name, first..first + cell.recipients).await;
            let trial = Trial { cell, lanes: lanes.name, provider, sending, launched };
            let name = trial.cell.name.clone();
            let judged = tokio::spawn(async move { trial.judged().await });
            let wrong = match judged.await {
                Ok(Ok(())) => return None,
                Ok(Err(wrong)) => wrong,
                Err(panicked) => panicked.to_string(),
            };
            Some(format!("{name}: {wrong}"))
        });
    }
    let failed: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    Arc::into_inner(sending).unwrap().stop().await;
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn no_status_and_no_cut_causes_a_double_or_a_needless_fallback() {
    let (endless, others): (Vec<_>, Vec<_>) =
        cells().into_iter().partition(|cell| matches!(cell.reply.then, Then::Silence | Then::Drips));
    let count = endless.len() + others.len();
    let mut servers = Vec::new();
    // Endless answers have a server with a shorter timeout, so they delay no others on a busy machine.
    for (timeout, cells) in [("3s", endless), ("30s", others)] {
        let (batches, singles): (Vec<_>, Vec<_>) = cells.into_iter().partition(|cell| cell.batch);
        for (send, cells) in [("single", singles), ("batch", batches)] {
            servers.push(go_through(
                format!("send = \"{send}\"\ntimeout = \"{timeout}\"\nconnections = {CONNECTIONS}"),
                cells,
            ));
        }
    }
    let failed = join_all(servers).await.concat();
    assert!(failed.is_empty(), "{} of {count} cells failed:\n{}", failed.len(), failed.join("\n"));
}
