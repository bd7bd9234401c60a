//! The memory that one webhook takes, however it is made: the peak of the server's process while it reads, stores and
//! answers long bodies.

use serde_json::json;

use crate::support::{Installation, Shape};

/// The longest body that the server takes.
const LENGTH_MAX: usize = 8 << 20;
const MIB: u64 = 1 << 20;

/// The length of each body, and what it may take beside what the server has taken before. Unless `VOLLEY_LONG` is set, a
/// body has an eighth of the greatest length: a program that is not optimized reads the longest ones for half a minute.
fn length() -> usize {
    if is_long() { LENGTH_MAX } else { LENGTH_MAX / 8 }
}

fn most() -> u64 {
    if is_long() { 64 * MIB } else { 20 * MIB }
}

fn is_long() -> bool {
    std::env::var_os("VOLLEY_LONG").is_some()
}

/// One part again and again, in an array or a list, up to the length.
fn filled(before: &str, part: &str, after: &str) -> String {
    let length = length();
    let parts = (length - before.len() - after.len()) / (part.len() + 1);
    let body = format!("{before}{}{after}", vec![part; parts].join(","));
    assert!(body.len() <= length && body.len() > length - 2 * part.len() - 2, "{}", body.len());
    body
}

fn bodies() -> Vec<(&'static str, String)> {
    let receipt = json!({ "eventType": "outbound_message_status_changed", "payload": {} }).to_string();
    let stop = json!({ "eventType": "inbound_message_received", "payload": {
        "user": { "msisdn": "+6591000001" }, "content": { "text": "Hello" } } })
    .to_string();
    let inbound = |content: &str| {
        let before = format!(
            "{{\"eventType\":\"inbound_message_received\",\"payload\":{{\"umid\":\"{}\",\"user\":{{\"msisdn\":\"+6591000001\"}},\
             \"content\":{content}",
            content.len()
        );
        (before, "}}}".to_owned())
    };
    let (order, order_end) = inbound("{\"order\":{\"product_items\":[");
    let (unknown, unknown_end) = inbound("{\"unheard\":[");
    let account = "{\"eventType\":\"account_update\",\"eventDetails\":{\"violationInfo\":[";
    let (text, text_end) = inbound("{\"text\":\"");
    vec![
        ("empty objects", filled("[", "{}", "]")),
        ("empty arrays without an end", filled("[", "[]", "")),
        ("numbers", filled("[", "1", "]")),
        ("receipts", filled("[", &receipt, "]")),
        ("messages", filled("[", &stop, "]")),
        ("an order", filled(&order, "{}", &format!("]}}{order_end}"))),
        ("a list of an unknown key", filled(&unknown, "{}", &format!("]{unknown_end}"))),
        ("an account event", filled(account, "{}", "]}}")),
        ("a long text", format!("{text}{}\"{text_end}", r"\u00e9".repeat((length() - 500) / 6))),
    ]
}

/// The most memory that a process has taken since the last reset, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1_024
}

fn reset_peak(process: u32) {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_webhook_takes_more_than_64_mib() {
    let shape = Shape { seed: 77, profile: String::new(), rate: 10, batch: None, connections: 2 };
    let mut site = Installation::new(&shape).await;
    site.serve().await;
    let (process, client) = (site.server().id(), reqwest::Client::new());
    let url = format!("http://{}/webhooks/8x8", site.webhooks());
    let post = async |body: String| {
        let request = client.post(&url).header("Authorization", "Bearer practice").body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    };
    post("[{},{\"eventType\":\"something_new\"}]".to_owned()).await;
    for (name, body) in bodies() {
        reset_peak(process);
        let before = peak(process);
        post(body).await;
        let taken = peak(process).saturating_sub(before);
        assert!(taken <= most(), "{name}: {} MiB", taken / MIB);
    }
    let server = site.take_server();
    server.interrupt();
    server.ended().await;
}
