//! Tests of the operation, with commands that print what they are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

use crate::base::domain::{Scope, Span};
use crate::http::access::Caller;
use crate::http::api::native::tests::{Answered, Bench, caller, code};
use crate::http::api::{CommandLine, CommandLines, CommandNeeds, Printed, Stream};
use crate::store::Cursor;

/// `say` prints its words, the caller and the campaign's name; `change` does so with another scope.
#[derive(Debug, Default)]
struct Echo {
    runs: AtomicUsize,
    /// Notified once `follow` has begun.
    follows: Notify,
}

#[async_trait]
impl CommandLines for Echo {
    fn needs(&self, words: &[String]) -> Result<CommandNeeds, String> {
        let (scope, computes) = match words.first().map(String::as_str) {
            Some("say" | "follow") => (Scope::Read, false),
            Some("compute") => (Scope::Read, true),
            Some("change") => (Scope::Manage, false),
            _ => return Err("unknown command".to_owned()),
        };
        Ok(CommandNeeds { scope, computes })
    }

    async fn run(&self, line: CommandLine, printed: Sender<Printed>) -> u8 {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        let name = line.campaign.and_then(|campaign| campaign.name).unwrap_or_default();
        let text = format!("{run}: {} by {} {name} {}\n", line.words.join(" "), line.caller, line.terminal.columns);
        let _ = printed.send(Printed::Text { stream: Stream::Stderr, text }).await;
        let _ = printed.send(Printed::View { stream: Stream::Stdout, lines: vec!["a".to_owned()] }).await;
        let _ = printed.send(Printed::Clear {}).await;
        if line.words[0] == "follow" {
            self.follows.notify_one();
            printed.closed().await;
        }
        3
    }
}

async fn post(bench: &Bench, by: Arc<Caller>, key: Option<&str>, body: &Value) -> Answered {
    let mut request = Request::post("/v1/commands").header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    bench.send(Some(by), request.body(Body::from(body.to_string())).unwrap()).await
}

fn lines(answered: &Answered) -> Vec<Value> {
    answered.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn each_piece_of_output_is_a_line_and_the_exit_code_is_the_last() {
    let bench = Bench::running(Arc::new(Echo::default())).await;
    let body = json!({
        "words": ["say", "hi"],
        "campaign": {"name": "Promo", "numbers": ["+6591234567"], "step": [{"channel": "SMS", "text": "Hi"}]},
        "terminal": {"columns": 120},
    });
    let answered = post(&bench, caller("a", &[Scope::Read]), None, &body).await;
    assert_eq!(
        (answered.status.as_u16(), answered.headers["content-type"].to_str().unwrap()),
        (200, "application/x-ndjson")
    );
    assert_eq!(
        lines(&answered),
        [
            json!({"text": {"stream": "stderr", "text": "1: say hi by ann Promo 120\n"}}),
            json!({"view": {"stream": "stdout", "lines": ["a"]}}),
            json!({"clear": {}}),
            json!({"exit": 3}),
        ]
    );
}

#[tokio::test]
async fn a_command_needs_its_own_scope_and_an_unlimited_key() {
    let commands = Arc::new(Echo::default());
    let bench = Bench::running(Arc::clone(&commands) as Arc<dyn CommandLines>).await;
    let change = json!({"words": ["change"]});
    let denied = post(&bench, caller("a", &[Scope::Read]), None, &change).await;
    assert_eq!(code(&denied), (403, "forbidden"));
    assert!(denied.text.contains(r#"scope \"manage\""#), "{}", denied.text);
    for limited in [
        Caller { lanes: Some(vec!["sms".to_owned()]), ..Caller::clone(&caller("a", &[Scope::Admin])) },
        Caller { sub_accounts: Some(vec!["acme".to_owned()]), ..Caller::clone(&caller("a", &[Scope::Admin])) },
    ] {
        let denied = post(&bench, Arc::new(limited), None, &change).await;
        assert_eq!(code(&denied), (403, "forbidden"));
    }
    let unknown = post(&bench, caller("a", &[Scope::Admin]), None, &json!({"words": ["lunch"]})).await;
    assert_eq!(code(&unknown), (422, "invalid"));
    let file = json!({
        "words": ["say"],
        "campaign": {"numbers": ["+6591234567"], "step": [{"channel": "WhatsApp", "image": "/etc/passwd"}]},
    });
    let refused = post(&bench, caller("a", &[Scope::Admin]), None, &file).await;
    assert_eq!(refused.status.as_u16(), 422, "{}", refused.text);
    assert_eq!(commands.runs.load(Ordering::SeqCst), 0);
    let done = post(&bench, caller("a", &[Scope::Read, Scope::Manage]), None, &change).await;
    assert_eq!(lines(&done).last(), Some(&json!({"exit": 3})));
}

#[tokio::test]
async fn a_repeated_change_runs_once_and_prints_the_same() {
    let commands = Arc::new(Echo::default());
    let bench = Bench::running(Arc::clone(&commands) as Arc<dyn CommandLines>).await;
    let by = || caller("a", &[Scope::Read, Scope::Manage]);
    let change = json!({"words": ["change"]});
    let first = post(&bench, by(), Some("k1"), &change).await;
    let again = post(&bench, by(), Some("k1"), &change).await;
    assert_eq!((&again.text, again.headers["idempotency-replayed"].to_str().unwrap()), (&first.text, "true"));
    assert_eq!(again.headers["content-type"], first.headers["content-type"]);
    assert_eq!(commands.runs.load(Ordering::SeqCst), 1);
    let other = post(&bench, by(), Some("k1"), &json!({"words": ["change", "more"]})).await;
    assert_eq!(code(&other), (422, "idempotency_key_reused"));
}

#[tokio::test]
async fn a_kept_answer_of_a_command_that_reads_ends() {
    let commands = Arc::new(Echo::default());
    let bench = Bench::running(Arc::clone(&commands) as Arc<dyn CommandLines>).await;
    let body = json!({"words": ["follow"]});
    let (answered, ()) = tokio::join!(post(&bench, caller("a", &[Scope::Read]), Some("k"), &body), async {
        commands.follows.notified().await;
        bench.clock.advance(Span::from_secs(60));
    });
    let lines = lines(&answered);
    assert_eq!(lines.last(), Some(&json!({"exit": 1})), "{}", answered.text);
    assert!(answered.text.contains("was ended after 1m"), "{}", answered.text);
}

#[tokio::test]
async fn commands_that_read_do_not_hinder_those_that_change_something() {
    let bench = Bench::running(Arc::new(Echo::default())).await;
    let turns: Vec<_> = (0..).map_while(|n| bench.turns().take(Scope::Read, &format!("caller {n}")).ok()).collect();
    assert!(!turns.is_empty());
    let by = || caller("a", &[Scope::Read, Scope::Manage]);
    let refused = post(&bench, by(), None, &json!({"words": ["say"]})).await;
    assert_eq!((code(&refused), refused.headers["retry-after"].to_str().unwrap()), ((503, "busy"), "2"));
    let done = post(&bench, by(), None, &json!({"words": ["change"]})).await;
    assert_eq!(lines(&done).last(), Some(&json!({"exit": 3})));
}

#[tokio::test]
async fn one_caller_leaves_turns_for_others() {
    let bench = Bench::running(Arc::new(Echo::default())).await;
    let turns: Vec<_> = std::iter::from_fn(|| bench.turns().take(Scope::Read, "greedy").ok()).collect();
    assert!(turns.len() > 1);
    assert!(bench.turns().take(Scope::Read, "another").is_ok());
    drop(turns);
    assert!(bench.turns().take(Scope::Read, "greedy").is_ok());
}

#[tokio::test]
async fn the_audit_log_shows_a_command_without_its_options_and_numbers() {
    let bench = Bench::running(Arc::new(Echo::default())).await;
    for words in [json!(["change", "members", "--yes"]), json!(["say", "+6591234567", "now", "--json", "x"])] {
        post(&bench, caller("a", &[Scope::Read, Scope::Manage]), None, &json!({ "words": words })).await;
    }
    let entries = bench.store.audit_entries(Cursor::START, 10).await.unwrap();
    let objects: Vec<_> = entries.iter().map(|(_, entry)| entry.object.as_deref()).collect();
    assert_eq!(objects, [Some("change members"), Some("say … now")]);
}

#[tokio::test]
async fn a_server_without_commands_says_so() {
    let bench = Bench::new().await;
    let answered = post(&bench, caller("a", &[Scope::Admin]), None, &json!({"words": ["say"]})).await;
    assert_eq!(code(&answered), (404, "not_found"));
}
