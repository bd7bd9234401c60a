//! Unknown ends: a lone one slows a lane, three stop it, and a read, one message and a slow start end the outage.

use volley::base::domain::Span;

use crate::support::fake_provider::{Answer, Body, End, FakeProvider, Line, Place, Reply, Then, What};
use crate::support::sending::{Fate, Lanes, Sending};
use crate::support::until;

const PATIENCE: Span = Span::from_secs(90);
/// How long the provider works on a message: long enough for each connection to be busy.
const WORK: Span = Span::from_millis(20);

fn broken(then: Then) -> Reply {
    Reply { carries_out: true, takes: WORK, then }
}

fn error() -> Reply {
    broken(Then::Answers(Answer::of("500 Internal Server Error", Body::Text(r#"{"code":2000}"#))))
}

/// Answers to a read that prove nothing about the provider.
fn no_read(nth: usize) -> Reply {
    let then = match nth % 4 {
        0 => Then::Answers(Answer::of("503 Service Unavailable", Body::Text(""))),
        1 => Then::Answers(Answer::of("404 Not Found", Body::Text("<html>Nothing lives here</html>"))),
        2 => Then::Cuts(Place::AfterBody, End::Reset),
        _ => Then::Answers(Answer::of("200 OK", Body::Text("<html>Welcome</html>"))),
    };
    Reply { carries_out: false, takes: Span::ZERO, then }
}

struct Lane {
    provider: FakeProvider,
    sending: Sending,
}

impl Lane {
    async fn start(connections: usize) -> Self {
        let provider = FakeProvider::start().await;
        let lanes = Lanes { name: "a".to_owned(), url: provider.url(), rate: "2000/s" };
        let sending = Sending::start(&format!("connections = {connections}"), &[lanes]).await;
        Self { provider, sending }
    }
}

/// Each message was read once at most, and none fell back; those that are not unknown were processed.
fn judge(fates: &[Fate]) {
    for one in fates {
        let [whatsapp, sms] = &one.deeds;
        assert!(sms.reads.is_empty(), "a needless SMS: {one}");
        assert!(whatsapp.reads.len() <= 1, "sent again: {one}");
        assert!(one.is_unknown() || whatsapp.carried_out == 1, "never carried out: {one}");
    }
}

fn unknown(fates: &[Fate]) -> usize {
    fates.iter().filter(|one| one.is_unknown()).count()
}

/// The requests in flight at the begin of each request, with the number of good answers until then.
fn under_way(journal: &[Line]) -> Vec<(usize, usize)> {
    let (mut now, mut good, mut at_begin) = (0, 0, Vec::new());
    for line in journal {
        match &line.what {
            What::Begun => {
                now += 1;
                at_begin.push((now, good));
            }
            What::Ended { is_good } => {
                now -= 1;
                good += usize::from(*is_good);
            }
            What::Read { .. } | What::Asked { .. } => {}
        }
    }
    at_begin
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_answer_in_a_hundred_does_not_stop_a_lane() {
    const RECIPIENTS: u32 = 400;
    let lane = Lane::start(8).await;
    lane.provider.posts(|nth| if nth % 100 == 50 { error() } else { Reply::after(WORK) });
    let launched = lane.sending.launch("a", 0..RECIPIENTS).await;
    let fates = lane.sending.submitted(&launched, &lane.provider).await;
    judge(&fates);
    assert_eq!(unknown(&fates), 4);
    assert_eq!(lane.provider.asked(), 0, "the circuit has opened");
    lane.sending.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_circuit_sends_nothing_until_a_read_and_then_one_message_alone() {
    const RECIPIENTS: u32 = 60;
    const CONNECTIONS: usize = 8;
    let lane = Lane::start(CONNECTIONS).await;
    lane.provider.posts(|_| error());
    lane.provider.questions(no_read);
    let launched = lane.sending.launch("a", 0..RECIPIENTS).await;
    // Each kind of read that proves nothing has been tried.
    until("the provider is asked again and again", PATIENCE, || async {
        let (asked, begun) = (lane.provider.asked(), lane.provider.begun());
        if asked > 4 || begun > CONNECTIONS { Ok(()) } else { Err(format!("{asked} reads, {begun} posts")) }
    })
    .await;
    let begun = lane.provider.begun();
    assert!(begun <= CONNECTIONS, "{begun} requests met a provider that breaks each");

    let before = lane.provider.journal().len();
    lane.provider.is_well_again(WORK);
    let fates = lane.sending.submitted(&launched, &lane.provider).await;
    judge(&fates);
    let unknown = unknown(&fates);
    assert!((3..=CONNECTIONS).contains(&unknown), "{unknown} are unknown");

    let journal = lane.provider.journal();
    let since = &journal[before..];
    let first_post = since.iter().position(|line| matches!(line.what, What::Begun)).unwrap();
    let first_read = since.iter().position(|line| matches!(line.what, What::Asked { is_good: true }));
    assert!(first_read.is_some_and(|read| read < first_post), "a message was the first to try: {since:#?}");
    // One message alone, then one more for each good answer.
    for (nth, (now, good)) in under_way(&since[first_post..]).into_iter().enumerate() {
        assert!(now <= good + 1, "post {nth} after the read is one of {now} at once, after {good} good answers");
    }
    lane.sending.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_opens_again_where_reads_work_and_messages_do_not() {
    const RECIPIENTS: u32 = 40;
    const CONNECTIONS: usize = 4;
    /// Tries of one message alone, each after its own read.
    const TRIES: usize = 2;
    let lane = Lane::start(CONNECTIONS).await;
    lane.provider.posts(|_| broken(Then::Cuts(Place::AfterAnswersHead, End::Fin)));
    let launched = lane.sending.launch("a", 0..RECIPIENTS).await;
    until("messages are tried alone", PATIENCE, || async {
        let (asked, begun) = (lane.provider.asked(), lane.provider.begun());
        if begun >= CONNECTIONS + TRIES || asked > TRIES + 1 {
            Ok(())
        } else {
            Err(format!("{asked} reads, {begun} posts"))
        }
    })
    .await;
    lane.provider.is_well_again(WORK);
    let fates = lane.sending.submitted(&launched, &lane.provider).await;
    judge(&fates);
    // After the requests that were in flight together, each unknown end came after its own read.
    let (mut reads, mut posts) = (0, 0);
    for line in lane.provider.journal() {
        match line.what {
            What::Asked { .. } => reads += 1,
            What::Ended { is_good: true } => break,
            What::Begun => {
                posts += 1;
                assert!(posts <= CONNECTIONS + reads, "{posts} posts after {reads} reads");
            }
            What::Read { .. } | What::Ended { is_good: false } => {}
        }
    }
    assert!(unknown(&fates) <= CONNECTIONS + reads, "{} are unknown after {reads} reads", unknown(&fates));
    lane.sending.stop().await;
}
