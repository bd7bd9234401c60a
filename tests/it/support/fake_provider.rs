//! A provider that answers, cuts and keeps silent as a script says. Its journal has the requests that it read
//! whole, and which of them it processed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use volley::base::domain::{Span, Timestamp};

use super::http1::{Incoming, Request};
use super::wait::clock;

const BATCH: &str = "cf3cbbf5-0000-4000-8000-000000000000";

/// The time between two bytes of a slow answer.
const DRIP: Span = Span::from_millis(300);

/// How one request is handled.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Whether its messages are processed, whatever the answer.
    pub(crate) carries_out: bool,
    /// How long processing takes.
    pub(crate) takes: Span,
    pub(crate) then: Then,
}

#[derive(Debug, Clone)]
pub(crate) enum Then {
    Answers(Answer),
    /// The connection ends at this place of a good answer.
    Cuts(Place, End),
    /// The answer is as long as its head states, or shorter: then the connection ends.
    CutsBody(Answer),
    /// No answer, until the other side hangs up.
    Silence,
    /// A good answer, much too slowly.
    Drips,
}

/// Where a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    BeforeHead,
    AfterHead,
    HalfOfBody,
    AfterBody,
    HalfOfAnswersHead,
    AfterAnswersHead,
    HalfOfAnswersBody,
}

impl Place {
    /// Whether the request was read whole before.
    pub(crate) const fn is_after_body(self) -> bool {
        !matches!(self, Self::BeforeHead | Self::AfterHead | Self::HalfOfBody)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In good order.
    Fin,
    Reset,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Sent before the answer itself.
    pub(crate) interim: &'static str,
    /// `500 Internal Server Error`.
    pub(crate) status: &'static str,
    /// Whole lines.
    pub(crate) headers: &'static str,
    pub(crate) body: Body,
    pub(crate) framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Text(&'static str),
    /// Each message is accepted, with an id.
    Taken,
    /// Each is accepted, with an id, and has failed temporarily since.
    Failed,
    /// Each is accepted, and the ids are missing.
    Nameless,
    /// Only a batch's counts; only the time of a single message.
    Unnamed,
    /// Half of what `Taken` would be.
    Half,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    /// Ends with the connection.
    UntilClose,
    /// No body, and no header about one.
    Bare,
}

impl Answer {
    pub(crate) const fn of(status: &'static str, body: Body) -> Self {
        Self { interim: "", status, headers: "", body, framing: Framing::Length }
    }

    const GOOD: Self = Self::of("200 OK", Body::Taken);
}

impl Reply {
    pub(crate) const GOOD: Self = Self { carries_out: true, takes: Span::ZERO, then: Then::Answers(Answer::GOOD) };

    /// A good answer after some time.
    pub(crate) const fn after(takes: Span) -> Self {
        Self { takes, ..Self::GOOD }
    }

    /// The answer to a query about an unknown message.
    const NOT_KNOWN: Self =
        Self { carries_out: false, takes: Span::ZERO, then: Then::Answers(Answer::of("404 Not Found", NOT_KNOWN)) };
}

const NOT_KNOWN: Body = Body::Text(r#"{"code":1300,"message":"Object wasn't found or is already expired"}"#);

type Script = Box<dyn Fn(usize) -> Reply + Send>;

/// One line of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A post has begun to arrive.
    Begun,
    /// A post was read whole.
    Read { post: usize, ids: Vec<String>, channel: String, carried_out: bool },
    /// A post's answer, or its end, is about to be sent.
    Ended { is_good: bool },
    /// A query about a message.
    Asked { is_good: bool },
}

struct Inner {
    posts: Script,
    questions: Script,
    begun: usize,
    asked: usize,
    journal: Vec<Line>,
}

pub(crate) struct FakeProvider {
    pub(crate) address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    serving: JoinHandle<()>,
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl FakeProvider {
    /// It behaves well until a script changes that.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Mutex::new(Inner {
            posts: Box::new(|_| Reply::GOOD),
            questions: Box::new(|_| Reply::NOT_KNOWN),
            begun: 0,
            asked: 0,
            journal: Vec::new(),
        }));
        let shared = Arc::clone(&inner);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, inner, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets how each post from now on is handled, by its place among all posts.
    pub(crate) fn posts(&self, script: impl Fn(usize) -> Reply + Send + 'static) {
        self.inner.lock().posts = Box::new(script);
    }

    /// Sets how each query from now on is handled, by its place among all queries.
    pub(crate) fn questions(&self, script: impl Fn(usize) -> Reply + Send + 'static) {
        self.inner.lock().questions = Box::new(script);
    }

    pub(crate) fn is_well_again(&self, takes: Span) {
        self.posts(move |_| Reply::after(takes));
        self.questions(|_| Reply::NOT_KNOWN);
    }

    pub(crate) fn journal(&self) -> Vec<Line> {
        self.inner.lock().journal.clone()
    }

    /// Posts that have begun to arrive.
    pub(crate) fn begun(&self) -> usize {
        self.inner.lock().begun
    }

    pub(crate) fn asked(&self) -> usize {
        self.inner.lock().asked
    }

    /// How often each of our ids was read, and how often its message was processed.
    pub(crate) fn by_id(&self) -> BTreeMap<String, Deeds> {
        let mut deeds: BTreeMap<String, Deeds> = BTreeMap::new();
        for line in self.journal() {
            let What::Read { post, ids, channel, carried_out } = line.what else { continue };
            for id in &ids {
                let of_id = deeds.entry(id.clone()).or_default();
                of_id.reads.push(ReadAs { at: line.at, post, of: ids.len() });
                of_id.carried_out += usize::from(carried_out);
                of_id.channels.push(channel.clone());
            }
        }
        deeds
    }
}

/// What the provider did with one of our ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deeds {
    pub(crate) reads: Vec<ReadAs>,
    pub(crate) carried_out: usize,
    /// The channel that each request named.
    pub(crate) channels: Vec<String>,
}

/// One time that an id was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadAs {
    pub(crate) at: Timestamp,
    /// The request's place among all posts.
    pub(crate) post: usize,
    /// How many messages the request had.
    pub(crate) of: usize,
}

fn note(inner: &Mutex<Inner>, what: What) {
    let at = clock().now();
    inner.lock().journal.push(Line { at, what });
}

/// One connection, until either side ends it.
async fn serve(mut stream: TcpStream, inner: Arc<Mutex<Inner>>) {
    let mut incoming = Incoming::default();
    loop {
        // The next bytes are looked at and left there, because a script may want them unread.
        let mut first = [0];
        let is_post = match stream.peek(&mut first).await {
            Ok(1..) => first == *b"P",
            Ok(0) | Err(_) => return,
        };
        let (nth, reply, before) = begin(&inner, is_post);
        for step in before {
            if !read_until(&mut stream, &mut incoming, *step).await {
                return;
            }
        }
        let request = incoming.take();
        if let (true, Some(request)) = (is_post, &request) {
            let (ids, channel) = (request.ids(), request.channel());
            note(&inner, What::Read { post: nth, ids, channel, carried_out: reply.carries_out });
        }
        if reply.takes > Span::ZERO {
            clock().sleep(reply.takes).await;
        }
        let is_good = is_good(&reply, is_post);
        note(&inner, if is_post { What::Ended { is_good } } else { What::Asked { is_good } });
        if !respond(&mut stream, &reply, request.as_ref()).await {
            return;
        }
    }
}

/// How far a request is read before it is handled.
#[derive(Debug, Clone, Copy)]
enum Step {
    Head,
    HalfOfBody,
    Whole,
}

/// A request's place among its kind, how it is handled, and how far it is read before.
fn begin(inner: &Mutex<Inner>, is_post: bool) -> (usize, Reply, &'static [Step]) {
    let mut inner = inner.lock();
    let (nth, reply) = if is_post {
        inner.begun += 1;
        inner.journal.push(Line { at: clock().now(), what: What::Begun });
        (inner.begun - 1, (inner.posts)(inner.begun - 1))
    } else {
        inner.asked += 1;
        (inner.asked - 1, (inner.questions)(inner.asked - 1))
    };
    let before: &[Step] = match reply.then {
        Then::Cuts(Place::BeforeHead, _) => &[],
        Then::Cuts(Place::AfterHead, _) => &[Step::Head],
        Then::Cuts(Place::HalfOfBody, _) => &[Step::Head, Step::HalfOfBody],
        _ => &[Step::Whole],
    };
    assert!(!reply.carries_out || before.len() == 1, "what was not read cannot be carried out: {reply:?}");
    (nth, reply, before)
}

/// Whether the connection lasted for so long.
async fn read_until(stream: &mut TcpStream, incoming: &mut Incoming, step: Step) -> bool {
    let mut some = vec![0; 16_384];
    loop {
        // A byte at a time, because not a byte more may be read.
        let (is_there, at_once) = match step {
            Step::Head => (incoming.has_head(), 1),
            Step::HalfOfBody => (incoming.of_body() >= incoming.half(), 1),
            Step::Whole => (incoming.is_whole(), some.len()),
        };
        if is_there {
            return true;
        }
        match stream.read(&mut some[..at_once]).await {
            Ok(length @ 1..) => incoming.push(&some[..length]),
            Ok(0) | Err(_) => return false,
        }
    }
}

/// Whether it proves that the provider works: a message is accepted, or a query answered as documented.
fn is_good(reply: &Reply, is_post: bool) -> bool {
    match &reply.then {
        Then::Answers(answer) if is_post => answer.body == Body::Taken,
        Then::Answers(answer) => answer.body == NOT_KNOWN,
        Then::Cuts(..) | Then::CutsBody(_) | Then::Silence | Then::Drips => false,
    }
}

/// Whether the connection continues.
async fn respond(stream: &mut TcpStream, reply: &Reply, request: Option<&Request>) -> bool {
    match &reply.then {
        Then::Answers(answer) => {
            let (head, body) = answer.render(request);
            let goes_on = answer.framing != Framing::UntilClose;
            let is_written = write(stream, &[head, body].concat()).await;
            if !goes_on {
                end(stream, End::Fin).await;
            }
            is_written && goes_on
        }
        Then::CutsBody(answer) => {
            let (head, body) = answer.render(request);
            write(stream, &[&head, &body[..body.len() / 2]].concat()).await;
            end(stream, End::Fin).await;
            false
        }
        Then::Cuts(place, how) => {
            let (head, body) = Answer::GOOD.render(request);
            let part = match place {
                Place::HalfOfAnswersHead => head[..head.len() / 2].to_vec(),
                Place::AfterAnswersHead => head,
                Place::HalfOfAnswersBody => [&head, &body[..body.len() / 2]].concat(),
                Place::BeforeHead | Place::AfterHead | Place::HalfOfBody | Place::AfterBody => Vec::new(),
            };
            write(stream, &part).await;
            end(stream, *how).await;
            false
        }
        Then::Silence => {
            drain(stream).await;
            false
        }
        Then::Drips => {
            let (head, body) = Answer::GOOD.render(request);
            for byte in [head, body].concat() {
                if !write(stream, &[byte]).await {
                    return false;
                }
                clock().sleep(DRIP).await;
            }
            true
        }
    }
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok()
}

async fn end(stream: &mut TcpStream, how: End) {
    match how {
        End::Reset => stream.set_zero_linger().unwrap(),
        End::Fin => {
            let _ = stream.shutdown().await;
            // Unread bytes would turn the end into a reset.
            drain(stream).await;
        }
    }
}

/// Reads and drops bytes until the other side hangs up.
async fn drain(stream: &mut TcpStream) {
    let mut some = [0; 4_096];
    while let Ok(1..) = stream.read(&mut some).await {}
}

impl Answer {
    fn render(&self, request: Option<&Request>) -> (Vec<u8>, Vec<u8>) {
        let body = match self.body {
            Body::Text(text) => text.to_owned(),
            Body::Taken => taken(request, true, None),
            Body::Failed => taken(request, true, Some(2000)),
            Body::Nameless => taken(request, false, None),
            Body::Half => {
                let whole = taken(request, true, None);
                whole[..whole.len() / 2].to_owned()
            }
            Body::Unnamed if request.is_some_and(Request::is_batch) => {
                json!({ "batchId": BATCH, "acceptedCount": 3, "rejectedCount": 0 }).to_string()
            }
            Body::Unnamed => json!({ "timestamp": "2027-01-15T08:00:00Z" }).to_string(),
        };
        let mut head = format!("{}HTTP/1.1 {}\r\n{}", self.interim, self.status, self.headers);
        let body = match self.framing {
            Framing::Length => {
                write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
                body
            }
            Framing::Chunked => {
                head.push_str("Transfer-Encoding: chunked\r\n");
                let (one, other) = body.split_at(body.len() / 2);
                format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len())
            }
            Framing::UntilClose => body,
            Framing::Bare => String::new(),
        };
        head.push_str("\r\n");
        (head.into_bytes(), body.into_bytes())
    }
}

/// The provider's answer when it accepts messages.
fn taken(request: Option<&Request>, named: bool, failed: Option<u32>) -> String {
    let Some(request) = request else { return String::new() };
    let one = |id: &String| {
        let state = if failed.is_some() { "failed" } else { "queued" };
        let status = json!({ "state": state, "errorCode": failed, "timestamp": "2027-01-15T08:00:00Z" });
        let mut message = json!({ "clientMessageId": id, "status": status });
        if named {
            message["umid"] = json!(format!("umid-{id}"));
        }
        message
    };
    let messages: Vec<_> = request.ids().iter().map(one).collect();
    if request.is_batch() {
        let count = messages.len();
        let whole = json!({ "batchId": BATCH, "acceptedCount": count, "rejectedCount": 0, "messages": messages });
        return whole.to_string();
    }
    messages.into_iter().next().unwrap_or_default().to_string()
}
