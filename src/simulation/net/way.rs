//! The way of a request to the provider, of its answer back, and of queries.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Arrived, Cut, Held, Inner, Posted, Request, Stage, client_id, is_corrected, requests_of};
use crate::base::clock::Clock;
use crate::base::domain::{Channel, Span, Timestamp, Umid};
use crate::practice::simulator::{Call, Method, Reply};
use crate::provider::client::{Broken, Endpoint, Gate, RawAnswer};
use crate::simulation::scene;

/// The umid by which a lane asks whether the provider answers at all.
const NO_MESSAGE: &str = "00000000-0000-0000-0000-000000000000";

/// The server that asks, and the lane whose circuit is probed, if one is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) life: usize,
    pub(super) lane: Option<usize>,
}

impl Inner {
    /// Returns the cut that is in force.
    pub(super) fn cut_now(&self) -> Option<Cut> {
        self.cut.filter(|cut| self.clock.now() < cut.until)
    }

    pub(super) fn post(
        &mut self,
        to: Endpoint,
        body: Vec<u8>,
        (life, lane): (usize, usize),
        gate: Arc<dyn Gate>,
    ) -> oneshot::Receiver<Result<RawAnswer, Broken>> {
        let now = self.clock.now();
        let requests = requests_of(to, &body);
        let openings = self.circuits[life].begin(lane, requests.len());
        for request in requests.iter().filter(|request| request.known_channels().any(|it| it == Channel::WhatsApp)) {
            self.recipient_rates[life].begin(lane, scene::recipient_of(client_id(request).key), now);
        }
        self.take_dice(client_id(&requests[0]));
        let request = Request { to, body: Arc::new(body), lane, life, begun: now, openings };
        let stage = if self.throw(self.trouble.refused) {
            Stage::Answered(Err(Broken::NotOffered { why: "connection refused".to_owned() }))
        } else if self.cut_now().is_some_and(|cut| cut.requests) && self.dice.u32(..4) > 0 {
            Stage::Answered(Err(Broken::NotOffered { why: "no route to host".to_owned() }))
        } else if self.throw(self.trouble.slow_connection) {
            Stage::Connecting(gate)
        } else {
            self.leave(&request, gate.as_ref())
        };
        let (answer, answered) = oneshot::channel();
        self.held.push(Held { answer, request, stage });
        self.has_begun.notify_one();
        answered
    }

    /// Sends the request on its connection, if its gate is open.
    pub(super) fn leave(&mut self, request: &Request, gate: &dyn Gate) -> Stage {
        if !gate.open() {
            return Stage::Answered(Err(Broken::Withdrawn));
        }
        self.circuits[request.life].check_unopened(request.lane, request.openings);
        let now = self.clock.now();
        let requests = requests_of(request.to, &request.body);
        self.take_dice(client_id(&requests[0]));
        for message in &requests {
            let channels: Vec<Channel> = message.known_channels().collect();
            let [channel] = channels[..] else { panic!("not one channel: {channels:?}") };
            let fallback = message.content.as_ref().and_then(|content| content.fallback_text.as_ref());
            assert!(fallback.is_none(), "the provider must not fall back by itself");
            let Request { lane, life, .. } = *request;
            let is_corrected = is_corrected(message);
            self.posted.push(Posted { attempt: client_id(message), channel, lane, life, at: now, is_corrected });
        }
        if self.throw(self.trouble.slow_way) {
            return Stage::OnItsWay(now);
        }
        Stage::Answered(self.arrive(request, now))
    }

    /// Delivers a request that was sent at `sent` to the provider, which answers.
    pub(super) fn arrive(&mut self, request: &Request, sent: Timestamp) -> Result<RawAnswer, Broken> {
        let now = self.clock.now();
        let requests = requests_of(request.to, &request.body);
        self.take_dice(client_id(&requests[0]));
        let cut = self.cut_now();
        if cut.is_some_and(|cut| cut.requests) {
            return Err(Broken::Sent { why: "timed out".to_owned() });
        }
        if self.throw(self.trouble.cut_before) {
            if self.dice.bool() {
                return Ok(self.inconclusive_answer());
            }
            return Err(Broken::Sent { why: "connection reset".to_owned() });
        }
        if requests.iter().any(|message| self.forbidden == Some(client_id(message).key)) {
            return Ok(RawAnswer { status: 403, retry_after: None, body: "<html>forbidden</html>".into() });
        }
        if self.throw(self.trouble.bare_refusal) {
            return Ok(self.bare_refusal());
        }
        let life = request.life;
        let arrived = requests.iter().map(|message| Arrived { message: client_id(message).key, life, sent, at: now });
        self.arrived.extend(arrived);
        let path = format!("/api/v1/subaccounts/acme/{}", request.to.path().join("/"));
        let call = Call { method: Method::Post, path: &path, authorization: Some("Bearer test"), body: &request.body };
        let (status, retry_after, answer) = match self.model.call(&call, now).reply {
            Reply::Response { status, retry_after, body } => (status, retry_after, body),
            cut @ (Reply::CutBeforeReading | Reply::CutAfterReading) => panic!("the line cuts, not the model: {cut:?}"),
        };
        self.note(request.to, status, &answer, &requests, (request.life, request.lane), sent);
        if self.throw(self.trouble.cut_after) || cut.is_some_and(|cut| cut.answers) {
            return Err(Broken::Sent { why: "connection reset".to_owned() });
        }
        if self.throw(self.trouble.broken_answer) {
            return Ok(self.inconclusive_answer());
        }
        let answer = if request.to.is_batch() && status == 200 { self.shuffle_batch(&answer) } else { answer };
        let retry_after = retry_after.map(|seconds| Span::from_secs(i64::from(seconds)));
        Ok(RawAnswer { status, retry_after, body: answer.into() })
    }

    /// Shuffles the entries of a batch answer, and may drop one: the provider promises neither order nor completeness.
    fn shuffle_batch(&mut self, answer: &str) -> String {
        let mut answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        let forgets = self.throw(self.trouble.batch_forgets);
        let entries = answer["messages"].as_array_mut().unwrap();
        self.dice.shuffle(entries);
        if forgets {
            entries.pop();
        }
        answer.to_string()
    }

    /// Takes the end of a request, which its sender learns.
    pub(super) fn end(&mut self, request: &Request, answer: &Result<RawAnswer, Broken>) {
        let now = self.clock.now();
        self.proofs[request.life].take_end(request.begun, answer, now);
        self.circuits[request.life].take_end(request.lane, request.openings, answer, now);
        let messages: Vec<_> = requests_of(request.to, &request.body).iter().map(|one| client_id(one).key).collect();
        self.bare_refusals[request.life].take_end(request.lane, (request.begun, now), &messages, answer);
        if let Err(Broken::NotOffered { .. } | Broken::Withdrawn) = answer {
            for message in requests_of(request.to, &request.body) {
                let to = scene::recipient_of(client_id(&message).key);
                self.recipient_rates[request.life].take_back(request.lane, to, request.begun);
            }
        }
    }

    /// Returns an answer that shows neither that a message was processed nor that it was not.
    fn inconclusive_answer(&mut self) -> RawAnswer {
        let any = (self.dice.u16(500..600), ["", "<html>no</html>", r#"{"code":2000}"#][self.dice.usize(..3)]);
        let (status, body) = [
            any,
            any,
            any,
            (200, "<html>welcome</html>"),
            (200, r#"{"status":{"state":"queued"}}"#),
            (204, ""),
            (408, r#"{"code":1002}"#),
            (500, r#"{"code":2000}"#),
            (502, "<html>bad gateway</html>"),
            (503, ""),
            (504, r#"{"message":"Endpoint request timed out"}"#),
            (520, ""),
        ][self.dice.usize(..12)];
        let retry_after = (status == 503 && self.dice.bool()).then(|| Span::from_secs(self.dice.i64(1..20)));
        RawAnswer { status, retry_after, body: Bytes::from_static(body.as_bytes()) }
    }

    /// Returns an answer that proves the request was not processed and names no code, as a wrong address or a gateway
    /// gives it.
    fn bare_refusal(&mut self) -> RawAnswer {
        let any = match self.dice.u16(300..500) {
            408 | 429 => 418,
            any => any,
        };
        let any = (any, ["", "<html>no</html>", r#"{"message":"no"}"#][self.dice.usize(..3)]);
        let (status, body) = [
            any,
            any,
            any,
            (301, ""),
            (302, "<html>log in</html>"),
            (308, r#"{"message":"moved"}"#),
            (400, "<html>bad request</html>"),
            (404, "<html>not here</html>"),
            (405, ""),
            (407, ""),
            (413, "<html>too large</html>"),
            (425, ""),
            (451, r#"{"message":"not from there"}"#),
            (499, ""),
        ][self.dice.usize(..14)];
        RawAnswer { status, retry_after: None, body: Bytes::from_static(body.as_bytes()) }
    }

    /// Answers a query for a message, unless the line fails or a proxy answers instead.
    pub(super) fn details(&mut self, umid: &Umid, of: Asker) -> Result<RawAnswer, Broken> {
        let now = self.clock.now();
        let (answer, is_proven) = self.query(umid, now);
        let Asker { life, lane } = of;
        self.proofs[life].take_end(now, &answer, now);
        if let Some(lane) = lane.filter(|_| umid.as_str() == NO_MESSAGE) {
            self.circuits[life].take_read(lane, now, is_proven);
        }
        answer
    }

    /// Returns the answer and whether the provider itself gave it.
    fn query(&mut self, umid: &Umid, now: Timestamp) -> (Result<RawAnswer, Broken>, bool) {
        if self.throw(self.trouble.refused) {
            return (Err(Broken::NotOffered { why: "connection refused".to_owned() }), false);
        }
        if self.cut_now().is_some_and(|cut| cut.requests || cut.answers) {
            return (Err(Broken::Sent { why: "timed out".to_owned() }), false);
        }
        if self.throw(self.trouble.broken_answer) {
            let (status, body) = [
                (200, "<html>log in</html>"),
                (302, ""),
                (403, "<html>forbidden</html>"),
                (404, "<html>not here</html>"),
                (502, "<html>bad gateway</html>"),
            ][self.dice.usize(..5)];
            let body = Bytes::from_static(body.as_bytes());
            return (Ok(RawAnswer { status, retry_after: None, body }), false);
        }
        let path = format!("/api/v1/subaccounts/acme/messages/{}", umid.as_str());
        let call = Call { method: Method::Get, path: &path, authorization: Some("Bearer test"), body: b"" };
        match self.model.call(&call, now).reply {
            Reply::Response { status, body, .. } => {
                (Ok(RawAnswer { status, retry_after: None, body: body.into() }), true)
            }
            Reply::CutBeforeReading | Reply::CutAfterReading => {
                (Err(Broken::Sent { why: "connection reset".to_owned() }), false)
            }
        }
    }
}
