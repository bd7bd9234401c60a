//! The texts about operators, keys, webhooks and the audit log.

use super::texts;
use crate::base::domain::text::{capital, grouped, plural};
use crate::base::domain::{AuditAction, Purpose, Scope};
use crate::http::pages::access::{AccessDone, AccessState, SecretKind};
use crate::http::pages::show::Plain;

texts! {
    /// The texts about operators, keys, webhooks and the audit log.
    AccessTexts;

    // All of them.
    may = "Scopes";
    limits = "Limits";
    last_use = "Last use";
    never = "Never";
    by = "by";
    from = "from";
    expires = "Expires";
    name = "Name";
    name_hint = "At most 100 characters.";
    scopes_hint = "Only admin includes the other scopes.";
    keep = "Change nothing";
    shown_in = "List";
    shown_once = "Copy it now and keep it in a safe place. It is shown only once.";
    shown_already = "This secret is no longer available: Volley shows a secret only once. If it is lost, rotate it.";
    copy = "Copy";
    copied = "Copied";
    rotate = "Rotate";
    rotate_ask = "Rotate…";
    overlap = "The old secret stays valid for";
    overlap_none = "no time";
    overlap_hour = "1 hour";
    overlap_day = "1 day";
    overlap_week = "7 days";

    // Keys.
    keys = "API keys";
    keys_lead = "Programs call the API with a key.";
    new_key = "New key";
    no_keys = "There are no keys yet.";
    no_keys_hint = "Create one for each program that calls the API.";
    no_valid_keys = "No key is valid.";
    revoked_too = "Revoked keys too";
    create_key = "Create the key";
    key_lanes = "Only these lanes";
    key_lanes_hint = "None chosen: all lanes.";
    key_sub_accounts = "Only these subaccounts";
    key_sub_accounts_hint = "Separated by commas. Empty: all.";
    key_purpose = "Its messages are";
    key_purpose_hint = "Somebody who opts out of marketing still gets service: codes, deliveries, appointments.";
    own_purpose = "Not said: marketing";
    key_addresses = "Only from these addresses";
    key_addresses_hint = "Addresses and networks, such as 10.0.0.0/8, separated by commas. Empty: all.";
    key_rate = "Requests per second";
    key_rate_hint = "Empty: 100 for /v1, no limit for the 8x8 API.";
    key_rate_problem = "enter a whole number from 1 on";
    key_expiry = "Valid for";
    key_expiry_hint = "Such as 90d or 12h. Empty: until it is revoked.";
    rotate_key_lead = "The key gets a new secret, which is shown once. Its name, scopes and limits stay.";
    rotate_key_overlap_hint = "The time to update the program. Another rotation ends the oldest secret at once.";
    revoke = "Revoke";
    revoke_ask = "Revoke…";
    revoke_lead = "The key stops working at once, and cannot be restored. Another key may then have its name.";
    revoke_confirm = "Revoke the key";
    former_valid = "former secret valid until";
    use_key = "Send it in this header:";

    // Operators.
    operators = "Operators";
    operators_lead = "Operators sign in to these pages with a name and a password.";
    new_operator = "New operator";
    create_operator = "Create the operator";
    last_sign_in = "Last sign-in";
    password_since = "Password since";
    not_lately = "not recently";
    is_you = "you";
    set_password = "Set password";
    set_password_lead = "The new password ends all sessions of the operator.";
    new_password = "New password";
    repeat_password = "New password again";
    password_hint = "At least 12 characters on one line.";
    passwords_differ = "the two passwords differ; enter the same one twice";
    set_scopes = "Set scopes";
    scopes_lead = "The operator has exactly the scopes that are checked, from the next request on, also where signed in already.";
    scopes_self = "This is you: without the scope admin you no longer see this page.";
    disable = "Disable";
    disable_ask = "Disable…";
    disable_lead = "The operator is signed out everywhere, and cannot sign in until an admin enables the name again. The links to reports that the operator made end for good.";
    disable_self = "This is you: you are signed out at once.";
    disable_last = "This is the last operator with the scope admin. To enable the name again, run on the server: volley operator enable NAME";
    disable_confirm = "Disable the operator";
    enable = "Enable";
    own_password = "Change password";
    own_password_lead = "The new password ends your other sessions. You stay signed in here.";
    present_password = "Current password";
    wrong_password = "this is not your current password";

    // Webhooks.
    webhooks = "Webhooks";
    webhooks_lead = "Volley posts events to the addresses of your programs.";
    new_webhook = "New webhook";
    no_webhooks = "There are no webhooks yet.";
    no_webhooks_hint = "Create one to receive outcomes, replies and holds in a program of yours.";
    create_webhook = "Create the webhook";
    webhook_name_hint = "Letters, digits, -, _ and dots; at most 80.";
    address = "Address";
    address_hint = "It begins with https. Addresses in a private network need outgoing.allow in volley.toml.";
    events = "Events";
    all_events = "All events";
    events_hint = "None chosen: all.";
    whole_group = "all of these";
    format = "Format";
    format_volley = "Volley, signed";
    format_8x8 = "8x8: messages and replies, not signed";
    format_hint = "Choose 8x8 for programs that were written for webhooks of 8x8.";
    webhook_sub_account = "Subaccount";
    webhook_sub_account_hint = "For the format 8x8: only messages of this subaccount. Empty: all.";
    authorization = "Header Authorization";
    authorization_hint = "Sent with each webhook. It is not shown again. Empty: none.";
    delivered = "Delivered";
    given_up = "Given up";
    waiting = "Waiting";
    next_try = "next try";
    nothing_waits = "nothing";
    last_success = "Last success";
    failing_since = "failing since";
    enable_hint = "Waiting deliveries are sent first.";
    disable_hint = "Waiting deliveries are kept. Later events are not.";
    reason = "Reason (shown in the events)";
    rotate_webhook_lead = "The webhook gets a new signing secret, which is shown once.";
    rotate_webhook_overlap_hint = "During this time, each webhook has both signatures.";
    remove_ask = "Remove…";
    remove_lead = "Waiting deliveries are dropped. The log stays for seven days.";
    remove_confirm = "Remove the webhook";
    test = "Send a test";
    verify_hint = "The receiver needs it to verify signatures (Standard Webhooks).";
    deliveries = "Deliveries";
    deliveries_kept = "Of the last seven days, latest first.";
    only_failed = "Only failed ones";
    no_deliveries = "Nothing was delivered in the last seven days.";
    no_deliveries_hint = "Send a test to see whether the receiver answers.";
    no_failed = "No failed delivery was found.";
    delivery = "Delivery";
    created = "Created";
    event = "Event";
    state = "State";
    tries = "Tries";
    answer_status = "Answer";
    no_answer = "no answer";
    first_try = "First try";
    latest_try = "Latest try";
    took = "Took";
    answer = "Answer";
    answer_beginning = "The beginning of its body:";
    no_body = "It has no body.";
    not_tried = "It was not sent yet.";
    request_headers = "Headers";
    signature_not_kept = "not kept";
    authorization_not_shown = "as set, not shown";
    body = "Body";
    replay = "Send again";
    replay_hint = "The id stays the same, so the receiver can recognize a duplicate.";

    // The audit log.
    audit_log = "Audit log";
    audit_lead = "Every change, with its operator or key. Entries cannot be changed.";
    who = "Who";
    who_filter = "Operator or key";
    about_filter = "Path or object contains";
    action = "What";
    any_action = "Anything";
    time = "Time";
    request = "Request";
    object = "Object";
    status = "Status";
    peer = "Address";
    command = "command";
    setup_token = "setup token";
    unknown_name = "unknown name";
    no_entries = "The audit log is empty.";
    look_further = "Look at older entries";
}

impl AccessTexts {
    /// What a scope permits.
    pub fn scope_means(&self, scope: &Scope) -> &'static str {
        match scope {
            Scope::Read => "read everything; every operator needs it",
            Scope::Send => "send single messages and batches",
            Scope::Manage => "launch and change campaigns, audiences, templates, lanes and opt-outs",
            Scope::Admin => "everything, including operators, keys and webhooks",
        }
    }

    pub fn access_state(&self, state: &AccessState) -> &'static str {
        match state {
            AccessState::Active => "Active",
            AccessState::Enabled => "Enabled",
            AccessState::Expired => "Expired",
            AccessState::Revoked => "Revoked",
            AccessState::Disabled => "Disabled",
        }
    }

    pub fn delivery_state(&self, state: &str) -> &'static str {
        match state {
            "delivered" => "Delivered",
            "waiting" => "Waiting",
            _ => "Given up",
        }
    }

    pub fn lanes_limit(&self, names: &str) -> String {
        format!("lanes {names}")
    }

    /// The choices of what the messages of a key are for.
    pub fn purposes(&self) -> Vec<(String, String)> {
        let of = |purpose: &Purpose| (purpose.to_string(), capital(purpose.as_str()));
        std::iter::once((String::new(), self.own_purpose.to_owned())).chain(Purpose::ALL.iter().map(of)).collect()
    }

    pub fn for_purpose(&self, purpose: Purpose) -> String {
        format!("for {purpose}")
    }

    pub fn sub_accounts_limit(&self, names: &str) -> String {
        format!("subaccounts {names}")
    }

    pub fn addresses_limit(&self, networks: &str) -> String {
        format!("from {networks}")
    }

    pub fn rate_limit(&self, number: u32) -> String {
        format!("{} a second", plural(number, "request", "requests"))
    }

    /// `Rotate the key shop?`
    pub fn rotate_title(&self, kind: SecretKind, name: &str) -> String {
        match kind {
            SecretKind::Key => format!("Rotate the key {name}?"),
            SecretKind::Webhook => format!("Rotate the secret of {name}?"),
        }
    }

    pub fn revoke_title(&self, name: &str) -> String {
        format!("Revoke the key {name}?")
    }

    pub fn disable_title(&self, name: &str) -> String {
        format!("Disable {name}?")
    }

    pub fn remove_title(&self, name: &str) -> String {
        format!("Remove the webhook {name}?")
    }

    pub fn scopes_title(&self, name: &str) -> String {
        format!("Scopes of {name}")
    }

    pub fn password_title(&self, name: &str) -> String {
        format!("Password of {name}")
    }

    pub fn secret_title(&self, kind: SecretKind, name: &str) -> String {
        match kind {
            SecretKind::Key => format!("The key {name}"),
            SecretKind::Webhook => format!("The signing secret of {name}"),
        }
    }

    pub fn delivery_title(&self, number: impl Plain<i64>) -> String {
        format!("Delivery {}", number.plain())
    }

    pub fn millis(&self, millis: impl Plain<i64>) -> String {
        format!("{} ms", grouped(millis.plain()))
    }

    /// A bounded search has found nothing: how far it went.
    pub fn looked_at(&self, number: &u32) -> String {
        format!("None of the {} looked at.", plural(*number, "row", "rows"))
    }

    pub fn last_sign_in_hint(&self, number: u32) -> String {
        format!("Among the latest {} in the audit log.", plural(number, "sign-in", "sign-ins"))
    }

    pub fn action_name(&self, action: &AuditAction) -> String {
        capital(action.as_str())
    }

    /// What was just done, and what it means.
    pub const fn done(&self, done: AccessDone) -> &'static str {
        match done {
            AccessDone::Revoked => "The key is revoked. The server refuses it.",
            AccessDone::Created => "The operator is created, and can sign in now.",
            AccessDone::PasswordSet => "The password is set. The operator's sessions have ended.",
            AccessDone::OwnPassword => "Your password is changed. Your other sessions have ended.",
            AccessDone::ScopesSet => "The scopes are set. They apply from the operator's next request on.",
            AccessDone::Disabled => "The operator is disabled and signed out.",
            AccessDone::Enabled => "The operator is enabled, and can sign in again.",
            AccessDone::WebhookEnabled => "The webhook is enabled. Waiting deliveries are sent first.",
            AccessDone::WebhookDisabled => {
                "The webhook is disabled. Waiting deliveries are kept; later events are not."
            }
            AccessDone::WebhookCreated => "The webhook is created. Send a test to see whether its receiver answers.",
            AccessDone::Removed => "The webhook is removed.",
            AccessDone::Tested => "A test is on its way. Reload this page to see what the receiver answers.",
            AccessDone::Replayed => "The delivery is sent again. Reload this page to see what the receiver answers.",
            AccessDone::Waits => "The delivery waits already, and is sent in its turn.",
        }
    }
}
