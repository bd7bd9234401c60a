//! Failures of a real network between the server and its provider: names that do not resolve, stalled connects,
//! partitions, connections that lead nowhere. Rates are judged at the network's near side, results by the
//! provider's journal.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use volley::base::domain::Span;

use crate::support::fake_provider::{FakeProvider, Reply};
use crate::support::proxy::{AUTHORITY, Body, Partition, Proxy};
use crate::support::resolver::{Mood, Resolver};
use crate::support::sending::{Fate, Lanes, Sending};
use crate::support::{Process, clock, numbers, until};

const PATIENCE: Span = Span::from_secs(60);
/// How long the provider works on a message.
const WORK: Span = Span::from_millis(30);

/// An installation that uses TLS to its provider: the binary itself, because only it takes trusted certificates.
struct Site(TempDir);

const CONNECTIONS: u32 = 16;
const RATE: i64 = 5;

impl Site {
    fn new(provider: &Proxy, recipients: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let config = format!(
            "[database]\nurl = \"sqlite://volley.db\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
             [provider]\nbase_url = \"{}\"\nsub_account = \"acme\"\napi_key = \"test\"\n\
             webhook_authorization = \"Bearer test\"\nconnections = {CONNECTIONS}\n\
             [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"{RATE}/s\"\nburst = 1\n",
            provider.url()
        );
        let campaign =
            format!("name = \"promo\"\n{}\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n", numbers(0..recipients));
        std::fs::write(folder.path().join("volley.toml"), config).unwrap();
        std::fs::write(folder.path().join("promo.toml"), campaign).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    async fn serve(&self) -> Process {
        let trust = format!("SSL_CERT_FILE={AUTHORITY}");
        let mut server = Process::start_by(self.path(), &["env", &trust], &["serve", "--json"]);
        server.first_line().await;
        server
    }

    async fn volley(&self, arguments: &[&str]) -> Value {
        Process::start(self.path(), arguments).ended().await.json()
    }

    async fn report(&self) -> Value {
        self.volley(&["campaign", "report", "promo", "--json"]).await
    }

    /// The report, once the provider has accepted a message for each recipient.
    async fn all_recorded(&self, recipients: u32) -> Value {
        until("everything is recorded", PATIENCE, || async {
            let report = self.report().await;
            if report["steps"][0]["handed_over"] == recipients { Ok(report) } else { Err(report) }
        })
        .await
    }
}

/// No window has more requests than rate and burst allow. One more is tolerated, because each request is seen a moment
/// after it was sent, and that moment varies.
fn judge_rate(bodies: &[Body], burst: i64) {
    let mut at: Vec<i64> = bodies.iter().map(|body| body.at.millis()).collect();
    at.sort_unstable();
    for (from, first) in at.iter().enumerate() {
        for (to, last) in at.iter().enumerate().skip(from) {
            let (count, window) = (i64::try_from(to - from).unwrap() + 1, last - first);
            let allowed = burst + window * RATE / 1_000 + 1;
            assert!(count <= allowed, "{count} requests in {window} ms, where {allowed} may be: {at:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_released_at_once_submit_no_faster_than_the_lane() {
    const RECIPIENTS: u32 = 24;
    /// How long no handshake is answered.
    const STALL: Span = Span::from_secs(4);
    let provider = FakeProvider::start().await;
    let proxy = Proxy::with_tls(provider.address).await;
    proxy.hold_handshakes();
    let site = Site::new(&proxy, RECIPIENTS);
    let server = site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--unchecked", "--json"]).await;
    until("a connect stalls", PATIENCE, || async { if proxy.accepted() > 0 { Ok(()) } else { Err("none") } }).await;
    clock().sleep(STALL).await;
    assert!(proxy.bodies().is_empty());
    proxy.heal();
    until("everything is read", PATIENCE, || async {
        let read = provider.by_id().len();
        if read == RECIPIENTS as usize { Ok(()) } else { Err(read) }
    })
    .await;
    judge_rate(&proxy.bodies(), 1);
    assert!(provider.by_id().values().all(|deeds| deeds.carried_out == 1), "{:?}", provider.by_id());
    let report = site.all_recorded(RECIPIENTS).await;
    assert_eq!(report["unknown_count"], 0, "{report}");
    server.interrupt();
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_are_given_up_leave_nothing_unknown() {
    const RECIPIENTS: u32 = 6;
    let provider = FakeProvider::start().await;
    let proxy = Proxy::with_tls(provider.address).await;
    proxy.hold_handshakes();
    let site = Site::new(&proxy, RECIPIENTS);
    let server = site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--unchecked", "--json"]).await;
    // One request at a time waits for a connection, so the next connects once the one before has given up.
    until("another connect", PATIENCE, || async { if proxy.accepted() > 1 { Ok(()) } else { Err("none") } }).await;
    assert!(proxy.bodies().is_empty());
    proxy.heal();
    let report = site.all_recorded(RECIPIENTS).await;
    assert_eq!(report["unknown_count"], 0, "{report}");
    assert_eq!(provider.by_id().len(), RECIPIENTS as usize);
    assert!(provider.by_id().values().all(|deeds| deeds.carried_out == 1), "{:?}", provider.by_id());
    server.interrupt();
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_connects_submit_nothing_after_a_cancel() {
    const RECIPIENTS: u32 = 24;
    let provider = FakeProvider::start().await;
    let proxy = Proxy::with_tls(provider.address).await;
    proxy.hold_handshakes();
    let site = Site::new(&proxy, RECIPIENTS);
    let server = site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--unchecked", "--json"]).await;
    until("a connect stalls", PATIENCE, || async { if proxy.accepted() > 0 { Ok(()) } else { Err("none") } }).await;
    site.volley(&["campaign", "cancel", "promo", "--json"]).await;
    assert!(proxy.bodies().is_empty());
    proxy.heal();
    let report = until("everything is cancelled", PATIENCE, || async {
        let report = site.report().await;
        if report["open"] == 0 || !proxy.bodies().is_empty() { Ok(report) } else { Err(report) }
    })
    .await;
    assert!(proxy.bodies().is_empty(), "submitted after the cancel: {:?}", proxy.bodies());
    assert_eq!(report["outcomes"]["cancelled"], RECIPIENTS, "{report}");
    // A server that stops in good order has completed every request that it began.
    server.interrupt();
    server.ended().await;
    assert!(
        proxy.bodies().is_empty() && provider.by_id().is_empty(),
        "submitted after the cancel: {:?}",
        proxy.bodies()
    );
}

/// A server in this process that sends through a network to a provider.
struct Way {
    provider: FakeProvider,
    proxy: Proxy,
    sending: Sending,
}

impl Way {
    async fn over(provider: FakeProvider, proxy: Proxy, settings: &str, rate: &'static str) -> Self {
        let lanes = Lanes { name: "a".to_owned(), url: proxy.url(), rate };
        let sending = Sending::start(settings, &[lanes]).await;
        Self { provider, proxy, sending }
    }

    async fn start(settings: &str, rate: &'static str) -> Self {
        let provider = FakeProvider::start().await;
        provider.posts(|_| Reply::after(WORK));
        let proxy = Proxy::before(provider.address).await;
        Self::over(provider, proxy, settings, rate).await
    }

    async fn has_read(&self, count: usize) {
        until(&format!("{count} messages are read"), PATIENCE, || async {
            let read = self.provider.by_id().len();
            if read >= count { Ok(()) } else { Err(read) }
        })
        .await;
    }
}

/// Each message was offered once at most, and none fell back. Only offered ones are unknown; all others were processed.
fn judge(fates: &[Fate], bodies: &[Body]) -> usize {
    for one in fates {
        let [whatsapp, sms] = &one.deeds;
        let offered = bodies.iter().filter(|body| body.ids.contains(&one.id)).count();
        assert!(
            sms.reads.is_empty() && one.attempts.iter().all(|attempt| attempt.step.get() == 0),
            "a needless SMS: {one}"
        );
        assert!(whatsapp.carried_out <= 1 && offered <= 1, "offered {offered} times: {one}");
        assert!(!one.is_unknown() || offered == 1, "unknown, and was never offered: {one}");
        assert!(one.is_unknown() || whatsapp.carried_out == 1, "never carried out: {one}");
    }
    fates.iter().filter(|one| one.is_unknown()).count()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn a_provider_out_of_reach_leaves_nothing_unknown() {
    const RECIPIENTS: u32 = 12;
    let provider = FakeProvider::start().await;
    let proxy = Proxy::without_answer(provider.address).await;
    let mut way = Way::over(provider, proxy, "timeout = \"2s\"\nconnections = 4", "100/s").await;
    let launched = way.sending.launch("a", 0..RECIPIENTS).await;
    // It begins with a connect that was given up.
    until("a doubt", PATIENCE, || async {
        let links = way.sending.store.links().await.unwrap();
        if links.iter().any(|link| link.doubt.is_some()) { Ok(()) } else { Err(format!("{links:?}")) }
    })
    .await;
    let fates = way.sending.fates(&launched, &way.provider).await;
    assert!(!fates.iter().any(Fate::is_submitted), "submitted without a provider: {}", fates[0]);
    way.proxy.answer_connects().await;
    let fates = way.sending.submitted(&launched, &way.provider).await;
    assert_eq!(judge(&fates, &way.proxy.bodies()), 0, "unknown");
    way.sending.stop().await;
}

/// A server that resolves its provider's name.
struct Named {
    resolver: Arc<Resolver>,
    way: Way,
}

impl Named {
    async fn start(mood: Mood, settings: &str, rate: &'static str) -> Self {
        let provider = FakeProvider::start().await;
        let proxy = Proxy::before(provider.address).await;
        let resolver = Resolver::of(proxy.address, mood);
        let lanes = Lanes { name: "a".to_owned(), url: resolver.url(), rate };
        let sending = Sending::start_resolving_by(settings, &[lanes], Arc::clone(&resolver) as _).await;
        Self { resolver, way: Way { provider, proxy, sending } }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_resolved_at_once_submit_no_faster_than_the_lane() {
    const RECIPIENTS: u32 = 24;
    const BURST: i64 = 4;
    /// Long enough to fill the bucket, and for another token per connection.
    const STALL: Span = Span::from_secs(4);
    let Named { resolver, way } =
        Named::start(Mood::Stalls, &format!("connections = {CONNECTIONS}"), "5/s burst 4").await;
    let launched = way.sending.launch("a", 0..RECIPIENTS).await;
    until("a name is asked for", PATIENCE, || async { if resolver.asked() > 0 { Ok(()) } else { Err("none") } }).await;
    clock().sleep(STALL).await;
    assert!(way.proxy.bodies().is_empty());
    resolver.becomes(Mood::Answers);
    let fates = way.sending.submitted(&launched, &way.provider).await;
    let bodies = way.proxy.bodies();
    judge_rate(&bodies, BURST);
    assert_eq!((judge(&fates, &bodies), bodies.len()), (0, fates.len()), "unknown, and submitted");
    way.sending.stop().await;
}

/// Names resolve only after the client has given up on some.
async fn unresolved(mood: Mood, settings: &str, has_noticed: impl Fn(&Resolver) -> bool) {
    const RECIPIENTS: u32 = 12;
    let Named { resolver, way } = Named::start(mood, &format!("connections = 4\n{settings}"), "100/s").await;
    let launched = way.sending.launch("a", 0..RECIPIENTS).await;
    until("the client notices", PATIENCE, || async {
        let seen = format!("{} asked, {} given up", resolver.asked(), resolver.given_up());
        if has_noticed(&resolver) { Ok(()) } else { Err(seen) }
    })
    .await;
    let fates = way.sending.fates(&launched, &way.provider).await;
    assert!(!fates.iter().any(Fate::is_submitted), "submitted: {}", fates[0]);
    assert!(!fates.iter().any(Fate::is_unknown), "unknown: {}", fates[0]);
    resolver.becomes(Mood::Answers);
    let fates = way.sending.submitted(&launched, &way.provider).await;
    assert_eq!(judge(&fates, &way.proxy.bodies()), 0, "unknown");
    way.sending.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_does_not_answer_leaves_nothing_unknown() {
    // An answer has less time than a connection.
    unresolved(Mood::Stalls, "timeout = \"2s\"", |resolver| resolver.given_up() >= 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_leaves_nothing_unknown() {
    unresolved(Mood::Fails, "", |resolver| resolver.asked() >= 8).await;
}

/// Cuts one or both directions once some requests were read, for longer than several timeouts, and heals them.
async fn partition(which: Partition) {
    const RECIPIENTS: u32 = 60;
    const CONNECTIONS: usize = 6;
    const OUTAGE: Span = Span::from_secs(9);
    let way = Way::start(&format!("timeout = \"2s\"\nconnections = {CONNECTIONS}"), "300/s").await;
    let launched = way.sending.launch("a", 0..RECIPIENTS).await;
    way.has_read(10).await;
    way.proxy.part(which);
    clock().sleep(OUTAGE).await;
    let unknown = way.sending.fates(&launched, &way.provider).await.iter().filter(|one| one.is_unknown()).count();
    assert!(unknown <= CONNECTIONS, "{which:?}: {unknown} unknown over {CONNECTIONS} connections");
    way.proxy.heal();
    let fates = way.sending.submitted(&launched, &way.provider).await;
    let unknown = judge(&fates, &way.proxy.bodies());
    assert!(unknown <= CONNECTIONS, "{which:?}: {unknown} unknown over {CONNECTIONS} connections");
    // Everything that the network held has arrived by now, also of requests that had given up.
    let read = way.provider.by_id().values().filter(|deeds| deeds.carried_out > 0).count();
    assert!(read >= fates.len() - unknown, "{which:?}: {read} carried out");
    way.sending.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_do_not_come_leave_no_more_unknown_than_connections() {
    partition(Partition::Answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_arrive_leave_no_more_unknown_than_connections() {
    partition(Partition::Requests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_leaves_no_more_unknown_than_connections() {
    partition(Partition::Both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_leave_unknown_only_the_requests_they_took() {
    const POOLED: u32 = 6;
    const RECIPIENTS: u32 = 30;
    let way = Way::start(&format!("timeout = \"2s\"\nconnections = {POOLED}"), "300/s").await;
    let first = way.sending.launch("a", 0..POOLED).await;
    let fates = way.sending.submitted(&first, &way.provider).await;
    assert_eq!(judge(&fates, &way.proxy.bodies()), 0, "unknown");
    // The server does not learn that its pooled connections lead nowhere.
    way.proxy.forget();
    let second = way.sending.launch("a", POOLED..POOLED + RECIPIENTS).await;
    let fates = way.sending.submitted(&second, &way.provider).await;
    let bodies = way.proxy.bodies();
    let unknown = judge(&fates, &bodies);
    let lost = bodies.iter().filter(|body| body.is_lost).count();
    assert_eq!(unknown, lost, "what was offered to a dead connection, and nothing else: {bodies:#?}");
    let connections: std::collections::BTreeSet<usize> =
        bodies.iter().filter(|body| body.is_lost).map(|body| body.connection).collect();
    assert_eq!(connections.len(), lost, "each dead connection took one");
    way.sending.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_leave_no_more_unknown_than_connections() {
    const RECIPIENTS: u32 = 60;
    const CONNECTIONS: usize = 6;
    let way = Way::start(&format!("timeout = \"2s\"\nconnections = {CONNECTIONS}"), "300/s").await;
    let launched = way.sending.launch("a", 0..RECIPIENTS).await;
    way.has_read(10).await;
    // Connects succeed and lead nowhere, as with a load balancer whose provider is down.
    way.proxy.swallow();
    let unknown =
        async || way.sending.fates(&launched, &way.provider).await.iter().filter(|one| one.is_unknown()).count();
    until("the circuit opens", PATIENCE, async || {
        let unknown = unknown().await;
        if unknown >= 3 { Ok(()) } else { Err(unknown) }
    })
    .await;
    let accepted = way.proxy.accepted();
    until("more connects", PATIENCE, || async {
        let more = way.proxy.accepted() - accepted;
        if more >= 2 { Ok(()) } else { Err(more) }
    })
    .await;
    assert!(unknown().await <= CONNECTIONS, "{} unknown over {CONNECTIONS} connections", unknown().await);
    way.proxy.heal();
    let fates = way.sending.submitted(&launched, &way.provider).await;
    let unknown = judge(&fates, &way.proxy.bodies());
    assert!(unknown <= CONNECTIONS, "{unknown} unknown over {CONNECTIONS} connections");
    way.sending.stop().await;
}
