//! The verbs of the API and of webhooks.

use super::Mortal;
use crate::base::domain::{BatchId, KeyId, Scopes, SketchId, Timestamp, Zone};
use crate::base::events::Origin;
use crate::store::{
    AlertKey, ApiKey, AuditEntry, AuditFilter, Begun, Cursor, Deliveries, Delivery, EventRow, FanOut, FeedRow,
    FeedState, FlowCount, Health, Inbound, Keys, LastUse, NewDelivery, NewRequest, NewSubscription, ObservedMessage,
    OpenAlert, OperatorAccount, PasswordHash, Receiver, ReceiverHealth, ReceiverKind, Replay, RequestKey, Requests,
    Result, SchemaVersion, ScopesSet, SecretDigest, Session, Sessions, SetupToken, SharedReport, SharedReports, Sketch,
    Sketches, StoredAnswer, Subscription, SubscriptionChange, SubscriptionId, Tried, WebhookCounts, WriterFigures,
};

through! {
    Keys {
        reads api_key(id: KeyId) -> Option<ApiKey>;
        reads api_key_named(name: String) -> Option<ApiKey>;
        reads api_keys(after: Option<KeyId>, limit: u32) -> Vec<ApiKey>;
        writes create_api_key(key: ApiKey, setup: Option<SecretDigest>, entry: AuditEntry) -> bool;
        writes rotate_api_key(id: KeyId, secret: SecretDigest, former_until: Option<Timestamp>, entry: AuditEntry) -> bool;
        writes revoke_api_key(id: KeyId, now: Timestamp, entry: AuditEntry) -> bool;
        writes record_key_uses(uses: Vec<(KeyId, LastUse)>) -> ();
        reads operator(name: String) -> Option<OperatorAccount>;
        reads operators(after: Option<String>, limit: u32) -> Vec<OperatorAccount>;
        writes create_operator(operator: OperatorAccount, setup: Option<SecretDigest>, entry: AuditEntry) -> bool;
        writes set_password(name: String, password: PasswordHash, entry: AuditEntry) -> bool;
        writes set_operator_scopes(name: String, scopes: Scopes, entry: AuditEntry) -> ScopesSet;
        writes set_operator_disabled(name: String, since: Option<Timestamp>, entry: AuditEntry) -> bool;
        writes offer_setup(token: SetupToken, now: Timestamp) -> bool;
        reads setup_token() -> Option<SetupToken>;
        writes record_audit(entries: Vec<AuditEntry>) -> ();
        reads audit_entries(after: Cursor, limit: u32) -> Vec<(Cursor, AuditEntry)>;
        reads audit_entries_before(filter: AuditFilter, before: Option<Cursor>, limit: u32) -> Vec<(Cursor, AuditEntry)>;
        writes forget_audit(before: Timestamp) -> ();
    }
}

through! {
    Sessions {
        writes begin_session(session: Session, entry: AuditEntry) -> bool;
        reads session(secret: SecretDigest) -> Option<(Session, OperatorAccount)>;
        writes record_session_use(secret: SecretDigest, at: Timestamp) -> ();
        writes set_session_zone(secret: SecretDigest, zone: Zone) -> ();
        writes end_session(secret: SecretDigest, entry: AuditEntry) -> bool;
        writes forget_sessions(before: Timestamp) -> ();
    }
}

through! {
    SharedReports {
        writes share_report(shared: SharedReport, most: u32) -> bool;
        reads shared_report(secret: SecretDigest) -> Option<SharedReport>;
        reads shared_reports(batch: BatchId, now: Timestamp, limit: u32) -> Vec<SharedReport>;
        writes end_shared_report(batch: BatchId, secret: SecretDigest) -> bool;
        writes forget_shared_reports(before: Timestamp) -> ();
    }
}

through! {
    Sketches {
        writes create_sketch(sketch: Sketch) -> ();
        reads sketch(id: SketchId) -> Option<Sketch>;
        reads sketches(before: Option<(Timestamp, SketchId)>, limit: u32) -> Vec<Sketch>;
        writes change_sketch(sketch: Sketch) -> bool;
        writes remove_sketch(id: SketchId) -> bool;
        writes forget_sketches(before: Timestamp) -> ();
    }
}

through! {
    Requests {
        writes begin_request(new: NewRequest) -> Begun;
        writes finish_request(of: RequestKey, answer: StoredAnswer, now: Timestamp) -> ();
        writes interrupt_request(of: RequestKey) -> ();
        writes forget_request(of: RequestKey) -> ();
        writes forget_old_requests(before: Timestamp) -> ();
        writes own_secret(purpose: &'static str, new: [u8; 32]) -> [u8; 32];
    }
}

#[async_trait::async_trait]
impl Health for Mortal {
    async fn schema_version(&self) -> Result<SchemaVersion> {
        self.reads(self.store.schema_version()).await
    }

    fn free_space(&self) -> Option<u64> {
        self.store.free_space()
    }

    fn writer_figures(&self) -> WriterFigures {
        self.store.writer_figures()
    }

    fn flow_counts(&self) -> Vec<FlowCount> {
        self.store.flow_counts()
    }

    fn webhook_counts(&self) -> WebhookCounts {
        self.store.webhook_counts()
    }
}

through! {
    Deliveries {
        writes create_subscription(new: NewSubscription, origin: Origin, now: Timestamp) -> Option<Subscription>;
        reads subscriptions() -> Vec<Subscription>;
        writes change_subscription(id: SubscriptionId, change: SubscriptionChange, origin: Origin, now: Timestamp) -> bool;
        reads observes_messages() -> bool;
        reads feeds() -> Vec<FeedState>;
        reads events_after(after: Cursor, limit: u32) -> Vec<EventRow>;
        reads inbound_after(after: Cursor, limit: u32) -> Vec<FeedRow<Inbound>>;
        reads observed_after(after: Cursor, limit: u32) -> Vec<FeedRow<ObservedMessage>>;
        writes fan_out(fan_out: FanOut) -> bool;
        writes add_deliveries(deliveries: Vec<NewDelivery>, now: Timestamp) -> Vec<i64>;
        reads waiting_receivers(kind: ReceiverKind, after: Option<Receiver>, limit: u32) -> Vec<(Receiver, Timestamp)>;
        reads due_deliveries(receiver: Receiver, now: Timestamp, limit: u32) -> Vec<Delivery>;
        writes record_tries(tries: Vec<Tried>) -> ();
        reads receiver_health(receivers: Vec<Receiver>) -> Vec<ReceiverHealth>;
        reads deliveries(receiver: Receiver, before: Option<i64>, limit: u32) -> Vec<Delivery>;
        reads failed_deliveries(receiver: Receiver, before: Option<i64>, limit: u32) -> Vec<Delivery>;
        reads delivery(id: i64) -> Option<Delivery>;
        writes replay(receiver: Receiver, what: Replay, now: Timestamp) -> u64;
        writes forget_deliveries(before: Timestamp) -> ();
        reads open_alerts() -> Vec<OpenAlert>;
        writes end_alerts(ended: Vec<(AlertKey, NewDelivery)>, before: Timestamp, now: Timestamp) -> ();
    }
}
