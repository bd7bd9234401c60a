//! Fills a store with something of everything that it can hold, for databases that are opened by later versions.

use super::*;
use crate::base::domain::{
    AuditAction, ChannelUser, DoubtCause, Free, Keyword, OptOutSource, OverridableSetting, Portion, Progress, Scope,
    SettlementKind, WishSubject,
};
use crate::base::events::{ChangedKey, Event, EventKind, Subject};
use crate::store::{
    AccountEvent, AfterTrial, Amendment, ApiKey, Beat, BucketOf, Direction, FanOut, Feed, HeldBy, Hold, KeptGap,
    LaneState, LinkState, NewCall, NewRequest, NotedBucket, Observed, OpenAlert, OptIn, OptOut, Override,
    ProviderReport, Query, QueryState, Receiver, RejectionReason, RequestKey, Restore, StepHeldBy, StepHold, StrayKind,
    SubscriptionChange, TemplateRequest, TemplateRequestKind, TurnedAway, UnknownSlots, UploadedFile, started,
};

impl Desk {
    /// Puts rows into every table. Nothing of it depends on the wall clock or on chance.
    pub(crate) async fn fill(&self) {
        let batch = self.fill_campaign().await;
        self.fill_lanes(batch).await;
        self.fill_recipients(batch).await;
        self.fill_server().await;
        self.fill_access().await;
        assert!(self.share_report(shared_reports::link(1, batch, 27), 9).await.unwrap());
        self.fill_outgoing(batch).await;
        self.fill_calls().await;
        self.mark_restored(Restore { copied_at: at(28), accepted_at: at(29) }).await.unwrap();
        let slots = UnknownSlots { recipients: 120, at: at(29), is_told: true };
        self.note_unknown_slots("acme", slots, Origin::SERVER, at(29)).await.unwrap();
    }

    /// A call of the API with messages under their callers' ids.
    async fn fill_calls(&self) {
        let parts = vec![self.joining_once(40..42, &["a", "b"], 0).await];
        self.begin_call(NewCall { client_batch_id: Some("november".to_owned()), parts }).await.unwrap();
    }

    /// A key, an operator who is signed in and writes a campaign, and the audit log of them. A setup token is there before.
    async fn fill_access(&self) {
        self.offer_setup(keys::token(3, 86_400), at(23)).await.unwrap();
        let key = ApiKey { scopes: [Scope::Send].into_iter().collect(), ..keys::key(1, "shop") };
        self.create_api_key(key, None, keys::entry(AuditAction::KeyCreated, 23)).await.unwrap();
        self.create_operator(keys::operator("ann"), None, keys::entry(AuditAction::OperatorCreated, 24)).await.unwrap();
        let begun = self.begin_session(sessions::session(1, "ann"), keys::entry(AuditAction::SignedIn, 25));
        assert!(begun.await.unwrap());
        self.create_sketch(sketches::sketch(1, 26)).await.unwrap();
    }

    /// A campaign with messages in several states, a changed plan, attempts and receipts.
    async fn fill_campaign(&self) -> BatchId {
        let audience = self.audience(Some("members"), 6).await;
        self.add_rejected(audience, 0, vec![audiences::rejected(7, "duplicate", Some(1))]).await.unwrap();
        let batch = self.begin_batch_of(Some("promo"), audience).await;
        let spread = self.spread_of(batch, audience, 6).await;
        self.write_messages(spread).await.unwrap();
        self.publish_batch(batch, BatchState::Running, Origin::operator("Ann", None), self.now()).await.unwrap();
        let claimed = messages(&self.claimed(batch, 4).await);
        let changes = vec![accepted(&claimed[0], at(1)), accepted(&claimed[1], at(1)), unknown(&claimed[2], at(1))];
        let buckets = vec![NotedBucket { of: BucketOf::Lane("wa".to_owned()), full_at: 1_800_000_000_000_000_000 }];
        self.record_noting(changes, buckets).await.unwrap();
        let change = ChangedKey { step: None, key: "end".to_owned(), before: String::new(), after: "later".to_owned() };
        let amendment = Amendment {
            batch,
            edition: 0,
            plan: Plan { end: Some(at(90_000)), ..plan() },
            starts_at: None,
            origin: Origin::operator("Ann", Some("more time")),
            changes: vec![change],
            now: at(2),
        };
        self.amend(amendment).await.unwrap();
        let receipt = Receipt {
            key: claimed[0].key,
            step: StepIndex::FIRST,
            stamp: at(2),
            state: "sent".to_owned(),
            detail: String::new(),
            code: 0,
            received: at(3),
            tries: Some(0),
            umid: None,
            charge: None,
            ruling: Ruling::default(),
        };
        let stray =
            Stray { kind: StrayKind::NoAttempt, received: at(3), umid: Some("u-1".to_owned()), raw: "{}".into() };
        let naming = NamingLane {
            lane: "wa".to_owned(),
            sub_account: "acme".to_owned(),
            base_url: "https://provider.example".to_owned(),
            since: at(3),
        };
        let taken = WebhookGroup {
            receipts: vec![receipt],
            strays: vec![stray],
            naming: vec![naming],
            ..WebhookGroup::default()
        };
        self.take(taken).await.unwrap();
        let asked = Query {
            key: claimed[1].key,
            step: StepIndex::FIRST,
            tries: 1,
            at: at(70),
            again: at(130),
            is_answered: true,
        };
        let asking =
            QueryState { sub_account: "acme".to_owned(), at: at(70), trouble: Some("HTTP status 500".to_owned()) };
        self.record_queries(vec![asked], asking).await.unwrap();
        self.note_figures(vec![figures::figures(batch, 3)], Vec::new()).await.unwrap();
        batch
    }

    /// Holds, a release, an override, slots of a tier, and what the provider reported.
    async fn fill_lanes(&self, batch: BatchId) {
        let hold = |template: &str| Hold {
            lane: "wa".to_owned(),
            template: template.to_owned(),
            language: String::new(),
            by: HeldBy::Answer,
            code: Some(21),
            origin: Origin::provider("the key was refused"),
            since: at(4),
        };
        for template in ["", "promo"] {
            self.hold(hold(template), at(4)).await.unwrap();
        }
        self.release("wa".to_owned(), "promo".to_owned(), at(5), Origin::operator("Ann", None)).await.unwrap();
        let by = StepHeldBy::Operator;
        let origin = Origin::operator("Ann", Some("a wrong text"));
        let step_hold = StepHold { batch, step: step(1), by, origin, since: at(5), recall: None };
        self.hold_step(step_hold, at(5)).await.unwrap();
        let overridden = Override {
            setting: OverridableSetting::Rate,
            name: "wa".to_owned(),
            value: "40/s".to_owned(),
            in_file: "80/s".to_owned(),
            origin: Origin::operator("Ann", None),
            since: at(6),
        };
        self.set_override(overridden, at(6)).await.unwrap();
        let lane = self.lane("wa", Channel::WhatsApp).await;
        let portfolios = || [("acme".to_owned(), vec![lane])].into();
        self.count_no_others(portfolios()).await.unwrap();
        self.count_tiers(portfolios(), at(0), None).await.unwrap();
        self.take_slots("acme", vec![(msisdn(0).into(), at(1)), (msisdn(1).into(), at(1))]).await.unwrap();
        let (about, kind) = (Subject::template("promo", "en"), "template_status_update".to_owned());
        let report =
            ProviderReport { about: about.clone(), what: "status".to_owned(), value: "FLAGGED".to_owned(), at: at(6) };
        let event = AccountEvent {
            id: "e-1".to_owned(),
            received: at(7),
            happened_at: at(6),
            kind,
            raw: "{}".to_owned(),
            events: vec![Event::by_server(at(7), about, EventKind::Paused)],
            overrides: Vec::new(),
            holds: Vec::new(),
            releases: Vec::new(),
            ended: Vec::new(),
            reports: vec![report],
        };
        self.take_business(vec![event]).await.unwrap();
        self.fill_catalogue().await;
    }

    /// A channel with a template, and the request that created it.
    async fn fill_catalogue(&self) {
        let template = catalogue::template("promo", "en");
        self.replace_templates(catalogue::fetched("wa-1", 7, vec![template]), Vec::new()).await.unwrap();
        let request = TemplateRequest {
            place: catalogue::place("wa-1"),
            name: "promo".to_owned(),
            language: "en".to_owned(),
            kind: TemplateRequestKind::Created,
            at: at(7),
        };
        self.begin_template_request(request, None).await.unwrap();
    }

    /// Opt-outs, an opt-in, a reply, a name, and what a batch has spent.
    async fn fill_recipients(&self, batch: BatchId) {
        let (from, source) = (OptOutSource::Operator, "a list".to_owned());
        let out = |n| OptOut {
            address: msisdn(n).into(),
            of: WishSubject::EVERYTHING,
            since: at(8),
            from,
            source: source.clone(),
        };
        self.opt_out(vec![out(8), out(9)]).await.unwrap();
        self.opt_in(vec![OptIn {
            address: msisdn(9).into(),
            of: WishSubject::EVERYTHING,
            at: at(9),
            from,
            source: source.clone(),
        }])
        .await
        .unwrap();
        let reply = Inbound {
            keyword: Some(Keyword::Start),
            window: Some(at(86_400)),
            on: Some((MessageKey { batch, n: 0 }, StepIndex::FIRST)),
            ..text("i-1".to_owned(), 0, 10)
        };
        // Its confirmation is due.
        let stop = Inbound { keyword: Some(Keyword::Stop), ..text("i-2".to_owned(), 20, 11) };
        self.take_confirming(vec![reply, stop]).await.unwrap();
        let (written, possible_stops) = (vec![text("i-3".to_owned(), 21, 12)], ["i-3".to_owned()].into());
        self.take(WebhookGroup { written, possible_stops, ..WebhookGroup::default() }).await.unwrap();
        let alias = Alias { channel: Channel::WhatsApp, called: "a-1".to_owned(), msisdn: msisdn(0) };
        self.learn_aliases(vec![alias]).await.unwrap();
        let user = ChannelUser { channel: Channel::Line, id: "U-1".to_owned() };
        self.opt_out(vec![OptOut { address: user.into(), of: WishSubject::EVERYTHING, since: at(8), from, source }])
            .await
            .unwrap();
        self.claim_with_costs(batch, 2).await;
        limits::spent_after(self, batch, Free::AMonth(9), &[(SettlementKind::Charged, at(9))]).await;
    }

    /// A server with the states of its lanes and of a provider address, a gap, rejected webhooks, an uploaded file, a request and a
    /// secret.
    async fn fill_server(&self) {
        let node = started(&**self, at(20)).await.node;
        let lane = LaneState {
            lane: "wa".to_owned(),
            pace: 2.5,
            portion: Portion::WHOLE.halved(),
            tier_spent: false,
            free_at: None,
            standing: None,
            complaint: Some((at(19), "too fast".to_owned())),
        };
        let doubt = Some((at(18), DoubtCause::Unreachable));
        let address = "https://provider.example".to_owned();
        let link = LinkState { address: address.clone(), direction: Direction::Out, proven: at(17), doubt };
        let (why, since) = (RejectionReason::Signature, at(16));
        let rejected = TurnedAway { why, count: 3, since, latest: since };
        let seq = self.seq().await.unwrap();
        let beat =
            Beat { lanes: vec![lane], links: vec![link], turned_away: vec![rejected], ..Beat::of(node, at(21), seq) };
        self.beat(beat).await.unwrap();
        self.keep_gap(KeptGap { from: at(10), until: at(12), address: Some(address.clone()) }, at(0)).await.unwrap();
        let (sub_account, url) = ("acme".to_owned(), format!("{address}/files/a.png?token=t"));
        let file = UploadedFile { base_url: address, sub_account, digest: [7; 32], url, uploaded_at: at(22) };
        self.record_uploads(vec![file]).await.unwrap();
        let of = RequestKey { caller: "k-1".to_owned(), key: "once".to_owned() };
        self.begin_request(NewRequest { of, digest: [7; 32], run: 1, now: at(22) }).await.unwrap();
        self.own_secret("cursors", [7; 32]).await.unwrap();
    }

    /// A subscription with deliveries, an alert, and a change of an observed message.
    async fn fill_outgoing(&self, batch: BatchId) {
        let (now, origin) = (at(30), Origin::operator("Ann", None));
        let new = deliveries::new_subscription("crm", &["*"]);
        let created = self.create_subscription(new, origin.clone(), now).await.unwrap().unwrap();
        self.change_subscription(created.id, SubscriptionChange::Disable, origin, now).await.unwrap();
        let receiver = Receiver::Subscription(created.id);
        let alert = OpenAlert {
            key: deliveries::alert_key(),
            began_at: now,
            ended_at: Some(now),
            event: "evt_1".to_owned(),
            text: "lane wa: held".to_owned(),
        };
        let fan_out = FanOut {
            feed: Feed::Events,
            from: self.feeds().await.unwrap()[0].position,
            until: Cursor::of_id(1),
            deliveries: vec![deliveries::new_delivery(&receiver, "evt_1", "lane wa")],
            alerts: vec![alert],
            now,
        };
        assert!(self.fan_out(fan_out).await.unwrap());
        let due = self.due_deliveries(receiver, now, 9).await.unwrap();
        self.record_tries(vec![deliveries::tried(&due[0], now, AfterTrial::Retry(at(40)))]).await.unwrap();
        let row = self.one(batch, 0).await;
        let progress = Progress::Reached { step: StepIndex::FIRST, status: Status::Sent };
        let observed = vec![Observed { progress, at: now, code: None, detail: None, message: None }];
        self.record(vec![Change { observed, ..change(&row, row.present) }]).await.unwrap();
    }
}
