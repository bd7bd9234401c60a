//! The present holds, as this node knows them.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::base::domain::{Content, Timestamp};
use crate::store::{HeldBy, Hold};

/// A lane, a template and its language. The template is empty for a hold on the lane, and the language for all
/// languages. A hold of the quality guard is on MARKETING steps only, so it never takes the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    lane: String,
    template: String,
    language: String,
    is_for_marketing: bool,
}

#[derive(Debug, Clone)]
struct Held {
    hold: Hold,
    /// When the request began whose answer caused it.
    begun: Timestamp,
    /// A decision up to which it is on disk; `None` if this node has put it and it is not written yet.
    written: Option<u64>,
}

/// Holds by lane and template.
///
/// The store is the truth about written holds. A hold that this node puts applies at once. Until it is written, only a
/// hold with the same key replaces it.
#[derive(Debug, Default)]
pub struct Holds {
    held: ArcSwap<HashMap<Key, Held>>,
    /// When this node saw each hold released last. Every change of the holds takes this lock.
    lifted: Mutex<HashMap<Key, Timestamp>>,
}

impl Holds {
    /// Replaces the holds by those of the store as of its decision `seq`. Returns whether a hold is new or has a new
    /// reason.
    pub fn replace(&self, holds: Vec<Hold>, seq: u64, now: Timestamp) -> bool {
        let mut lifted = self.lifted.lock();
        let before = self.held.load();
        let written = |hold: Hold| (key(&hold), Held { begun: hold.since, hold, written: Some(seq) });
        let mut held: HashMap<_, _> = holds.into_iter().map(written).collect();
        let is_new = |(key, held): (&Key, &Held)| before.get(key).is_none_or(|known| known.hold != held.hold);
        let news = held.iter().any(is_new);
        for (key, known) in before.iter() {
            if held.contains_key(key) {
                continue;
            }
            if known.written.is_none_or(|written| written > seq) {
                // The store was read before this hold was written.
                held.insert(key.clone(), known.clone());
            } else {
                lifted.insert(key.clone(), now);
            }
        }
        self.held.store(Arc::new(held));
        news
    }

    /// Puts a hold after the answer to a request that began at `begun`.
    ///
    /// An existing hold keeps its first reason. A request that began before a hold was released proves nothing about
    /// the time after.
    pub fn put(&self, hold: Hold, begun: Timestamp) {
        let lifted = self.lifted.lock();
        let (before, key) = (self.held.load(), key(&hold));
        // A release of a template applies to all of its languages.
        let all = Key { language: String::new(), ..key.clone() };
        let is_lifted = |key: &Key| lifted.get(key).is_some_and(|lifted| begun < *lifted);
        if before.contains_key(&key) || is_lifted(&key) || is_lifted(&all) {
            return;
        }
        let mut held = HashMap::clone(&before);
        held.insert(key, Held { hold, begun, written: None });
        self.held.store(Arc::new(held));
    }

    /// The holds that this node has put and not written yet, each with the time when the request behind it began.
    pub fn unwritten(&self) -> Vec<(Hold, Timestamp)> {
        let held = self.held.load();
        let unwritten = held.values().filter(|held| held.written.is_none());
        unwritten.map(|held| (held.hold.clone(), held.begun)).collect()
    }

    /// All holds.
    pub fn all(&self) -> Vec<Hold> {
        self.held.load().values().map(|held| held.hold.clone()).collect()
    }

    /// Records that decision `seq` has written a hold.
    pub fn written(&self, hold: &Hold, seq: u64) {
        let _others_wait = self.lifted.lock();
        let mut held = HashMap::clone(&self.held.load());
        if let Some(held) = held.get_mut(&key(hold)) {
            held.written = Some(seq);
        }
        self.held.store(Arc::new(held));
    }

    /// Why a lane may not send at all.
    pub fn on_lane(&self, lane: &str) -> Option<Hold> {
        self.on(lane, "", "", false)
    }

    /// Why a content may not be sent on a lane that may send: its template is held, in its language or in any, or the
    /// quality guard holds MARKETING steps.
    pub fn on_content(&self, lane: &str, content: &Content) -> Option<Hold> {
        let template = content.template()?;
        let on_template = |is_for_marketing| {
            self.on(lane, template.name, "", is_for_marketing)
                .or_else(|| self.on(lane, template.name, template.language, is_for_marketing))
        };
        let by_guard = || on_template(true).or_else(|| self.on(lane, "", "", true));
        on_template(false).or_else(|| by_guard().filter(|_| content.is_marketing()))
    }

    fn on(&self, lane: &str, template: &str, language: &str, is_for_marketing: bool) -> Option<Hold> {
        let held = self.held.load();
        if held.is_empty() {
            return None;
        }
        let (lane, template, language) = (lane.to_owned(), template.to_owned(), language.to_owned());
        held.get(&Key { lane, template, language, is_for_marketing }).map(|held| held.hold.clone())
    }
}

fn key(hold: &Hold) -> Key {
    let Hold { lane, template, language, by, .. } = hold.clone();
    Key { lane, template, language, is_for_marketing: by == HeldBy::Quality }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Category, Content};
    use crate::base::events::Origin;

    /// A template in this language and category.
    fn content(template: &str, language: &str, category: Category) -> Content {
        let text =
            format!(r#"{{"template": {{"name": "{template}", "language": "{language}", "category": "{category}"}}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn refused(since: i64) -> Hold {
        Hold {
            lane: "wa".to_owned(),
            template: String::new(),
            language: String::new(),
            by: HeldBy::Answer,
            code: Some(1200),
            origin: Origin::provider("the key was refused"),
            since: second(since),
        }
    }

    #[test]
    fn an_unwritten_hold_survives_every_read_of_the_store() {
        let holds = Holds::default();
        holds.put(refused(1), second(0));
        assert!(!holds.replace(Vec::new(), 1, second(2)));
        assert_eq!((holds.on_lane("wa"), holds.unwritten()), (Some(refused(1)), vec![(refused(1), second(0))]));
        holds.written(&refused(1), 3);
        assert!(holds.unwritten().is_empty());
        // A read that began before it was written.
        holds.replace(Vec::new(), 2, second(2));
        assert!(holds.on_lane("wa").is_some());
        assert!(!holds.replace(vec![refused(1)], 3, second(3)), "the hold is not new");
        holds.replace(Vec::new(), 4, second(4));
        assert_eq!(holds.on_lane("wa"), None);
    }

    #[test]
    fn a_refusal_of_a_request_begun_before_a_resume_does_not_undo_it() {
        let holds = Holds::default();
        holds.put(refused(1), second(0));
        holds.put(refused(2), second(0));
        assert_eq!(holds.unwritten(), [(refused(1), second(0))], "one hold, for the first reason");
        holds.written(&refused(1), 1);
        holds.put(refused(3), second(0));
        assert!(holds.unwritten().is_empty(), "an existing hold is not written again");
        holds.replace(Vec::new(), 2, second(10));
        holds.put(refused(11), second(0));
        assert_eq!(holds.on_lane("wa"), None);
        holds.put(refused(12), second(10));
        assert_eq!(holds.on_lane("wa"), Some(refused(12)), "the key is still refused");
    }

    #[test]
    fn a_template_is_held_in_one_language_or_in_all() {
        let holds = Holds::default();
        let on = |language: &str| Hold { template: "promo".to_owned(), language: language.to_owned(), ..refused(1) };
        holds.replace(vec![on("de")], 1, second(1));
        let held = |language: &str| holds.on_content("wa", &content("promo", language, Category::Utility)).is_some();
        assert_eq!((held("de"), held("en"), holds.on_lane("wa").is_some()), (true, false, false));
        holds.replace(vec![on("")], 2, second(2));
        assert_eq!(
            (held("de"), held("en"), holds.on_content("wa", &content("other", "de", Category::Utility))),
            (true, true, None)
        );
    }

    #[test]
    fn the_quality_guard_holds_marketing_and_hides_no_other_hold() {
        let holds = Holds::default();
        let guard = |template: &str| Hold { template: template.to_owned(), by: HeldBy::Quality, ..refused(1) };
        let is_held = |template: &str, category| holds.on_content("wa", &content(template, "en", category)).is_some();
        holds.replace(vec![guard("")], 1, second(1));
        assert!(holds.on_lane("wa").is_none());
        assert!(is_held("promo", Category::Marketing) && !is_held("code", Category::Authentication));
        holds.replace(vec![guard("promo")], 2, second(2));
        assert!(is_held("promo", Category::Marketing) && !is_held("promo", Category::Utility));
        assert!(!is_held("other", Category::Marketing));
        let paused = Hold { by: HeldBy::Operator, ..refused(1) };
        for both in [vec![paused.clone(), guard("")], vec![guard(""), paused.clone()]] {
            holds.replace(both, 3, second(3));
            assert_eq!(holds.on_lane("wa"), Some(paused.clone()));
        }
    }

    #[test]
    fn a_hold_with_another_reason_is_reported_as_new() {
        let holds = Holds::default();
        holds.put(refused(1), second(0));
        let paused = Hold { by: HeldBy::Operator, origin: Origin::operator("Ann", None), ..refused(2) };
        assert!(holds.replace(vec![paused.clone()], 1, second(2)));
        assert!(!holds.replace(vec![paused], 2, second(3)));
    }
}
