//! Reads, checks and plans campaigns with hostile sizes: the work and the memory of each are bounded by the size of its body.
//!
//! Every run tries some campaigns. `VOLLEY_FUZZ_MINUTES` sets how long to try more; `VOLLEY_FUZZ_SEED` repeats a single one.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::beginnings::Beginnings;
use super::lint_hours::out_of_reach;
use super::time::schedule;
use super::{Draft, Facts, lint, plan};
use crate::base::clock::{Clock, RealClock};
use crate::base::config::Config;
use crate::base::domain::{Country, Span, Timestamp, crowd_of, steps_of};
use crate::provider::catalogue::Catalogue;
use crate::recipients::audience::{OddCells, Selection};
use crate::rules::forecast::Bill;

/// Campaigns that every run tries.
const TRIED: u64 = 25;
/// The largest body that the API reads.
const BODY_MAX: usize = 1 << 20;
/// Steps for each byte of a body: each text is looked at a few dozen times.
const STEPS_FOR_A_BYTE: u64 = 100;
/// Steps for the hours of seven steps in every zone, searched for more than a year.
const STEPS_FOR_HOURS: u64 = 40_000_000;
/// Bytes of memory at a time, for each byte of a body. A JSON value and the problem of a key take much more than their text.
const MEMORY_FOR_A_BYTE: u64 = 60;
/// Bytes of memory for what values stand for in the seven steps, which has a bound of its own.
const MEMORY_FOR_VALUES: u64 = 100 << 20;

const COLUMNS: [&str; 5] = ["Mobile", "FirstName", "Code", "Tier", "Size: x"];

const KEYS: [&str; 18] = [
    "audience",
    "numbers",
    "exclude",
    "where",
    "country",
    "allow_countries",
    "ttl",
    "at",
    "time_zone",
    "over",
    "send_window",
    "quiet_hours",
    "holidays",
    "values",
    "pause_when",
    "route",
    "name",
    "nonsense",
];
const STEP_KEYS: [&str; 20] = [
    "channel",
    "lane",
    "lanes",
    "fallback_after",
    "quiet_hours",
    "send_window",
    "only",
    "skip_when",
    "text",
    "source",
    "template",
    "interactive",
    "suggestions",
    "card",
    "cards",
    "notification",
    "raw",
    "location",
    "line_user_id",
    "image",
];
const WORDS: [&str; 26] = [
    "{{Code}}",
    "{{FirstName|there}}",
    "{{A}}",
    "{{B:upper}}",
    "{{Tier:lower:title}}",
    "{{",
    "}}",
    "{{x:",
    "{{Code:number(2)}}",
    "{{Code:date(\"%d\")}}",
    "upper:",
    "Code = \"1\" or ",
    "Tier in [1,2,",
    "not (",
    "Mon-Fri 09:00-18:00",
    "21:00-08:00",
    "00:00-24:00",
    "10:00-10:01 Asia/Singapore",
    "2026-12-25",
    "SG",
    "+6591234567",
    "a",
    "ä",
    " ",
    "\"",
    "(",
];

/// A hostile text: few or many words, alike or not.
fn text(random: &mut fastrand::Rng) -> String {
    let count = [1, 3, 20, 2_000, 60_000][random.usize(0..5)];
    let one = WORDS[random.usize(0..WORDS.len())];
    let mut text = String::new();
    let mixes = random.bool();
    for _ in 0..count {
        text += if mixes { WORDS[random.usize(0..WORDS.len())] } else { one };
        if text.len() > BODY_MAX / 4 {
            break;
        }
    }
    text
}

fn value(random: &mut fastrand::Rng, depth: u8) -> Value {
    let many = |random: &mut fastrand::Rng| [0, 1, 3, 101, 5_000, 40_000][random.usize(0..6)];
    match random.u8(0..8) {
        0 => json!(random.i64(-10..100_000)),
        1 => json!(random.bool()),
        2 if depth > 0 => {
            let one = value(random, depth - 1);
            let most = BODY_MAX / (one.to_string().len() + 1);
            Value::Array(vec![one; many(random).min(most)])
        }
        3 if depth > 0 => {
            let count = many(random).min(20_000);
            (0..count).map(|n| (format!("k{n}"), json!(WORDS[n % WORDS.len()]))).collect::<Map<_, _>>().into()
        }
        4 if depth > 0 => {
            let mut table = Map::new();
            for _ in 0..random.usize(0..4) {
                let key = STEP_KEYS[random.usize(0..STEP_KEYS.len())].to_owned();
                table.insert(key, value(random, depth - 1));
            }
            table.into()
        }
        5 => Value::Array((0..random.usize(0..150)).map(|_| json!(WORDS[random.usize(0..WORDS.len())])).collect()),
        _ => json!(text(random)),
    }
}

/// JSON within JSON, under a key that `serde_json` passes between its own types. Read as it asks, it ends the stack.
fn nested(levels: usize) -> String {
    let mut json = "1".to_owned();
    for _ in 0..levels {
        // Escaped by `\"`, its length would double at each level.
        let escaped = json.replace('\\', r"\u005c").replace('"', r"\u0022");
        json = format!(r#"{{"$serde_json::private::RawValue":"{escaped}"}}"#);
        if json.len() > BODY_MAX / 2 {
            break;
        }
    }
    json
}

/// A good campaign with some hostile values or none, as it arrives.
fn body(random: &mut fastrand::Rng) -> String {
    let body = campaign(random).to_string();
    match random.u8(0..8) {
        0 => body.replacen("\"members\"", &nested(random.usize(0..200)), 1),
        _ => body,
    }
}

fn campaign(random: &mut fastrand::Rng) -> Value {
    let step = |channel: &str| json!({"channel": channel, "text": "Hi {{A}} {{FirstName|there}}"});
    let mut steps = vec![step("Viber"), step("SMS")];
    let mut whole = json!({
        "audience": "members",
        "values": {"A": "{{B}}", "B": {"by": "Tier", "gold": "{{Code}}", "others": "x"}},
    });
    for _ in 0..random.usize(0..4) {
        let (key, at) = match random.u8(0..5) {
            0 | 1 => (KEYS[random.usize(0..KEYS.len())], None),
            2 => (["A", "B"][random.usize(0..2)], None),
            _ => (STEP_KEYS[random.usize(0..STEP_KEYS.len())], Some(random.usize(0..steps.len()))),
        };
        let hostile = value(random, 2);
        match at {
            Some(at) => steps[at][key] = hostile,
            None if key.len() == 1 => {
                if let Some(values) = whole["values"].as_object_mut() {
                    values.insert(key.to_owned(), hostile);
                }
            }
            None => whole[key] = hostile,
        }
    }
    whole["step"] = Value::Array(steps);
    whole
}

/// The worst of each kind that is still allowed, or just not: what was slow before there were bounds.
fn worst() -> Vec<String> {
    let with = |key: &str, value: Value| {
        let mut campaign = json!({"audience": "a", "step": [{"channel": "SMS", "text": "Hi"}]});
        campaign[key] = value;
        campaign
    };
    let text = |text: String| with("step", json!([{"channel": "SMS", "text": text}]));
    let windows = |count: usize| -> Vec<String> {
        let minute = |n: usize| format!("{:02}:{:02}", n / 60 % 24, n % 60);
        (0..count).map(|n| format!("Mon-Fri {}-{}", minute(7 * n), minute(7 * n + 3))).collect()
    };
    let step = |channel: &str| json!({"channel": channel, "text": "Hi", "send_window": windows(100), "quiet_hours": ["00:00-24:00"]});
    let values = |a: String, b: String| {
        let step = json!([{"channel": "SMS", "text": "{{A}}".repeat(1_000)}]);
        json!({"audience": "a", "values": {"A": a, "B": b}, "step": step})
    };
    let bodies = [
        with("send_window", json!(windows(60_000))),
        with("send_window", json!(windows(100))),
        json!({"audience": "a", "step": [step("Viber"), step("SMS"), step("WhatsApp")]}),
        with("holidays", json!(vec!["2026-12-25"; 80_000])),
        with("where", json!(vec!["Code = 1"; 20_000].join(" or "))),
        with("where", json!(format!("Code in [{}]", vec!["1"; 40_000].join(",")))),
        with("exclude", json!(vec!["+6591234567"; 70_000])),
        text("{{Code}}".repeat(60_000)),
        text("{{Code}}".repeat(1_000)),
        text(format!("{{{{Code:{}}}}}", "upper:".repeat(100_000))),
        text(format!("{{{{Code:{}}}}}", vec!["trim"; 100_000].join(":"))),
        text(format!("{{{{{}}}}}", ":".repeat(400)).repeat(200)),
        values("{{B}}".repeat(1_000), "x".repeat(90_000)),
        values("x".repeat(90_000), String::new()),
        with("country", json!("S".repeat(1 << 19))),
        with("time_zone", json!("Asia/".repeat(100_000))),
        (0..100_000).map(|n| (format!("k{n}"), json!(1))).collect::<Map<_, _>>().into(),
        (0..50_000).map(|n| (format!("exclud_{n:05}"), json!(1))).collect::<Map<_, _>>().into(),
        with("step", json!([{"channel": "SMS", "lanes": (0..60_000).map(|n| format!("l{n}")).collect::<Vec<_>>()}])),
    ];
    bodies.iter().map(Value::to_string).chain([format!(r#"{{"audience":"a","step":{}}}"#, nested(200))]).collect()
}

fn config() -> Config {
    let text = include_str!("../../../samples/volley.toml");
    Config::read(Some((Path::new("volley.toml"), text)), std::iter::empty(), []).unwrap().config
}

/// Reads, checks and plans a campaign. Returns whether it can be sent.
fn planned(body: &str, config: &Config) -> bool {
    let now = Timestamp::parse_rfc3339("2026-11-01T00:00:00Z").unwrap();
    let columns = COLUMNS.map(str::to_owned);
    let Ok(draft) = Draft::parse("promo.json", body) else { return false };
    let Ok(schedule) = schedule(&draft, now) else { return false };
    let bound = draft.selection.as_ref().map(|selection: &Selection| selection.bind(&columns));
    let Ok(selection) = bound.transpose() else { return false };
    if let Some(selection) = selection {
        let fields = ["+6591234567", "Ann", "7", "gold", "L"];
        (0..100).for_each(|_| _ = selection.selects(|column| fields[column]));
    }
    let Ok((plan, _)) = plan(&draft, &columns, config, &schedule, None, &Catalogue::default()) else { return false };
    let countries: BTreeMap<Country, u64> = Country::known().map(|code| (code.parse().unwrap(), 10)).collect();
    let crowd = crowd_of(&countries, &BTreeMap::new());
    let Ok(beginnings) = Beginnings::of(&plan, &schedule, &crowd, now) else { return false };
    let facts = Facts {
        recipients: 1_000,
        countries: &countries,
        without_number: &BTreeMap::new(),
        bill: &Bill::of_countries(&plan, &countries),
        odd: &OddCells { empty: vec![0; COLUMNS.len()], refused: vec![0; COLUMNS.len()] },
        allowed: draft.allow_countries.as_ref(),
        windows: &BTreeMap::new(),
        need_no_slot: &BTreeMap::new(),
    };
    let warnings = lint(&plan, config, &facts);
    warnings.len() + out_of_reach(&plan, &crowd, &beginnings).len() < 1_000
}

/// Plans one campaign within the bounds.
fn try_one(what: &str, body: &str, config: &Config) -> bool {
    let size = body.len() as u64;
    let mut found = (false, 0);
    let memory = allocation_counter::measure(|| found = steps_of(|| planned(body, config)));
    let (is_good, steps) = found;
    assert!(steps <= STEPS_FOR_HOURS + STEPS_FOR_A_BYTE * size, "{what}: {steps} steps for {size} bytes");
    let most = MEMORY_FOR_VALUES + MEMORY_FOR_A_BYTE * size;
    assert!(memory.bytes_max <= most, "{what}: {} bytes of memory for {size} bytes", memory.bytes_max);
    is_good
}

#[test]
fn the_work_of_a_hostile_plan_is_bounded_by_its_size() {
    let config = config();
    for (number, body) in worst().into_iter().enumerate() {
        try_one(&format!("worst {number}"), &body, &config);
    }
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let one = |seed| {
        let body = body(&mut fastrand::Rng::with_seed(seed));
        body.len() <= BODY_MAX && try_one(&format!("seed {seed}"), &body, &config)
    };
    if let Some(seed) = setting("VOLLEY_FUZZ_SEED") {
        one(seed);
        return;
    }
    let good = (0..TRIED).filter(|seed| one(*seed)).count() as u64;
    assert!((1..TRIED).contains(&good), "{good} of {TRIED} can be sent; the damage is too weak or too strong");
    let Some(minutes) = setting("VOLLEY_FUZZ_MINUTES") else { return };
    let (clock, mut seed) = (RealClock::new(), TRIED);
    let end = clock.now() + Span::from_secs(i64::try_from(minutes * 60).unwrap());
    while clock.now() < end {
        one(seed);
        seed += 1;
    }
    println!("{seed} plans");
}
