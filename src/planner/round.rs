//! One claim: who of those in front of its queues leaves.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::hours::FirstOf;
use super::limits::Purse;
use super::tier::Gate;
use super::{Cap, Capped, Pass, Places, Rest, TierClaim, Timing, Used};
use crate::domain::{BatchId, BatchState, Fields, Loaded, Money, Present, Queue, State, StepIndex, Timestamp};

/// Messages that one claim looks at, unless it may take more: what a full tier keeps back or what is over is looked at in
/// vain, and no transaction may last for long because of it.
const LOOKED_AT_MAX: usize = 4_000;
/// A queue costs as much as so many messages, however few there are in it.
const A_LOOK: usize = 20;

/// What a lane may take in one claim, and what binds it.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// In the order of their turns.
    pub queues: Vec<Queue>,
    /// How many may leave at most.
    pub limit: u32,
    pub now: Timestamp,
    /// Steps that may not leave at all hours.
    pub hours: HashMap<(BatchId, StepIndex), Arc<Timing>>,
    /// Steps of which no more than so much may leave.
    pub caps: HashMap<(BatchId, StepIndex), Arc<Cap>>,
    /// Where the lane's tier is limited.
    pub places: Option<Places>,
}

/// Where a batch stands when the claim is made.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    pub state: BatchState,
    pub ends_at: Option<Timestamp>,
}

/// A page to read: so many of those in a queue whose turn has come, behind the one that was judged last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub queue: Queue,
    pub behind: Option<(Timestamp, u32)>,
    pub count: usize,
}

/// Somebody who waits in a queue and whose turn has come.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub message: Loaded,
    pub fields: Fields,
    pub opted_out: bool,
    pub tier: TierClaim,
}

/// Somebody who leaves.
#[derive(Debug, Clone)]
pub struct Leaving {
    pub candidate: Candidate,
    pub pass: Pass,
    pub cost: Money,
}

/// Somebody who does not leave, and about whom the engine has to decide: in their queue still.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    pub message: Loaded,
    pub why: Why,
}

/// Why somebody moves without leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They may not leave at this hour, and may then.
    Closed { until: Timestamp },
    /// There is no place for them in the tier, and their step does not wait for one.
    TierSpent,
}

/// What comes of a claim.
#[derive(Debug, Default)]
pub struct Decided {
    /// Queue by queue, each in its own order.
    pub leaves: Vec<Leaving>,
    pub moves: Vec<Move>,
    pub rests: Vec<(Queue, Rest)>,
}

/// What becomes of one candidate.
enum Verdict {
    Leaves {
        pass: Pass,
        cost: Money,
    },
    Moves(Why),
    /// Their time is over. The timers end it, and nobody waits behind them.
    Over,
    /// Until there is a place in the tier.
    WaitsForPlace,
    /// With all who stand behind them: a limit is used in turn.
    Capped(Capped),
}

/// One queue in its turn.
#[derive(Debug)]
struct Line {
    queue: Queue,
    timing: Option<Arc<Timing>>,
    first_of: FirstOf,
    cap: Option<Arc<Cap>>,
    /// Where whoever finds no place in the tier goes on to another step: how many steps there are.
    goes_on: Option<usize>,
    ends_at: Option<Timestamp>,
    behind: Option<(Timestamp, u32)>,
    leaves: Vec<Leaving>,
    /// Whether any candidate of it leaves or moves.
    gets_on: bool,
    /// Whether anybody waits for a place in the tier.
    waits: bool,
    /// Whether the last page held somebody who stood in front in vain: then the next one is long.
    is_crowded: bool,
    rest: Option<Rest>,
}

/// A page that was asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    line: usize,
    count: usize,
    /// How many of it may leave.
    share: usize,
}

/// What holds for all queues of a claim.
#[derive(Debug)]
struct Rules {
    now: Timestamp,
    gate: Option<Gate>,
    purse: Purse,
}

/// Goes through the queues of one claim: [`Planner::looks`], [`Planner::judge`], and again until there is nothing more to
/// look at.
#[derive(Debug)]
pub struct Planner {
    rules: Rules,
    /// How many may still leave, and how many may still be looked at.
    left: usize,
    patience: usize,
    lines: Vec<Line>,
    asked: Vec<Asked>,
    moves: Vec<Move>,
}

impl Planner {
    pub fn new(turn: Turn) -> Self {
        let Turn { queues, limit, now, hours, caps, places } = turn;
        let gate = places.map(Gate::new);
        let line = |queue: Queue| {
            let of_step = (queue.batch, queue.step);
            Line {
                queue,
                timing: hours.get(&of_step).cloned(),
                first_of: FirstOf::default(),
                cap: caps.get(&of_step).cloned(),
                goes_on: gate.as_ref().and_then(|gate| gate.goes_on(&queue)),
                ends_at: None,
                behind: None,
                leaves: Vec::new(),
                gets_on: false,
                waits: false,
                is_crowded: false,
                rest: None,
            }
        };
        let left = usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            left,
            patience: left.max(LOOKED_AT_MAX),
            lines: queues.into_iter().map(line).collect(),
            asked: Vec::new(),
            moves: Vec::new(),
            rules: Rules { now, gate, purse: Purse::default() },
        }
    }

    /// The batches of which it has to be known where they stand.
    pub fn batches(&self) -> BTreeSet<BatchId> {
        self.lines.iter().map(|line| line.queue.batch).collect()
    }

    /// Those of them of which it has to be known what they have used up.
    pub fn limited(&self) -> BTreeSet<BatchId> {
        let is_limited = |cap: &Arc<Cap>| !cap.step.are_none() || !cap.batch.are_none();
        let limited = self.lines.iter().filter(|line| line.cap.as_ref().is_some_and(is_limited));
        limited.map(|line| line.queue.batch).collect()
    }

    /// Says what was asked for. What an operator has stopped cannot leave.
    pub fn begin(&mut self, courses: &HashMap<BatchId, Course>, used: impl IntoIterator<Item = (BatchId, Used)>) {
        for line in &mut self.lines {
            match courses.get(&line.queue.batch).filter(|course| course.state == BatchState::Running) {
                Some(course) => line.ends_at = course.ends_at,
                None => line.rest = Some(Rest::Stuck),
            }
        }
        used.into_iter().for_each(|(batch, used)| self.rules.purse.knows(batch, used));
    }

    /// The pages to read next; none once all is decided. What may still leave is shared out evenly among the queues that
    /// may hold more, and who comes first has what does not divide.
    pub fn looks(&mut self) -> Vec<Look> {
        self.asked.clear();
        let (mut left, mut patience) = (self.left, self.patience);
        let mut active = self.lines.iter().filter(|line| line.rest.is_none()).count();
        let mut looks = Vec::new();
        for (place, line) in self.lines.iter_mut().enumerate().filter(|(_, line)| line.rest.is_none()) {
            if left == 0 || patience < A_LOOK {
                break;
            }
            let (mut share, further) = (left.div_ceil(active), patience.div_ceil(active));
            active -= 1;
            match line.cap.as_ref().map(|cap| self.rules.purse.room(line.queue, cap)) {
                Some(Err(capped)) => {
                    line.rest = Some(Rest::Capped(capped));
                    continue;
                }
                Some(Ok(room)) => share = share.min(room),
                None => {}
            }
            let count = if line.is_crowded { further.max(share) } else { share }.min(patience);
            share = share.min(count);
            if !line.is_crowded {
                // Of a queue full of those who may not leave nobody may, and others must not wait for that.
                left -= share;
            }
            patience = patience.saturating_sub(count + A_LOOK);
            self.asked.push(Asked { line: place, count, share });
            looks.push(Look { queue: line.queue, behind: line.behind, count });
        }
        looks
    }

    /// Whether it has to be known who of so many candidates holds a place in the tier.
    pub fn asks_who_holds(&self, candidates: usize) -> bool {
        self.rules.gate.as_ref().is_some_and(|gate| gate.asks_who_holds(candidates))
    }

    /// Judges the pages that were asked for, in their order.
    pub fn judge(&mut self, pages: Vec<Vec<Candidate>>) {
        for (asked, page) in std::mem::take(&mut self.asked).into_iter().zip(pages) {
            self.patience = self.patience.saturating_sub(page.len() + A_LOOK);
            if let Some(line) = self.lines.get_mut(asked.line) {
                let asked = Asked { share: asked.share.min(self.left), ..asked };
                self.left -= line.judge(&asked, page, &mut self.rules, &mut self.moves);
            }
        }
    }

    /// The queues that are drained: of these it has to be known when the next one's turn comes.
    pub fn drained(&self) -> Vec<Queue> {
        let drained = |line: &&Line| matches!(line.rest, Some(Rest::Drained { .. }));
        self.lines.iter().filter(drained).map(|line| line.queue).collect()
    }

    /// What comes of it all.
    pub fn end(self, next: &HashMap<Queue, Timestamp>) -> Decided {
        let mut decided = Decided { moves: self.moves, ..Decided::default() };
        for line in self.lines {
            let rest = match line.rest {
                Some(Rest::Drained { .. }) => Rest::Drained { next: next.get(&line.queue).copied() },
                Some(Rest::Capped(capped)) => {
                    Rest::Capped(Capped { is_final: self.rules.purse.is_final(&capped), ..capped })
                }
                Some(rest) => rest,
                // All that were judged are over; candidates after them may not be.
                None if line.behind.is_some() && !line.gets_on => Rest::Stuck,
                None => Rest::More,
            };
            decided.rests.push((line.queue, rest));
            decided.leaves.extend(line.leaves);
        }
        decided
    }
}

impl Line {
    /// Judges one page. Returns how many of it leave.
    fn judge(&mut self, asked: &Asked, page: Vec<Candidate>, rules: &mut Rules, moves: &mut Vec<Move>) -> usize {
        if asked.share == 0 && !page.is_empty() {
            // Others have left nothing over: nobody is judged, and the next claim begins here.
            return 0;
        }
        let is_short = page.len() < asked.count;
        let before = self.leaves.len();
        self.is_crowded = false;
        for candidate in page {
            let taken = self.leaves.len() - before;
            if taken == asked.share {
                // Whoever is behind has their turn with what others leave over, or with the next claim.
                return taken;
            }
            self.behind = place(&candidate.message);
            match rules.verdict(self, &candidate) {
                Verdict::Leaves { pass, cost } => {
                    let leaving = Leaving { candidate, pass, cost };
                    rules.lets_go(self, &leaving);
                    self.leaves.push(leaving);
                    self.gets_on = true;
                }
                Verdict::Moves(why) => {
                    moves.push(Move { message: candidate.message, why });
                    (self.gets_on, self.is_crowded) = (true, true);
                }
                Verdict::Over => self.is_crowded = true,
                Verdict::WaitsForPlace => self.waits = true,
                Verdict::Capped(capped) => {
                    self.rest = Some(Rest::Capped(capped));
                    return self.leaves.len() - before;
                }
            }
        }
        self.rest = match (is_short, self.waits) {
            (true, false) => Some(Rest::Drained { next: None }),
            // Behind those who are over or move may stand who needs no place.
            (false, true) if self.is_crowded => None,
            (_, true) if self.gets_on => Some(Rest::More),
            // They must not be looked at again and again before there is a place.
            (_, true) => Some(Rest::ForPlace),
            (false, false) => None,
        };
        self.leaves.len() - before
    }
}

impl Rules {
    fn verdict(&self, line: &mut Line, candidate: &Candidate) -> Verdict {
        let message = &candidate.message;
        if is_over(&message.present, line.ends_at, self.now) {
            return Verdict::Over;
        }
        if let Some(timing) = &line.timing
            && let Some(until) = timing.put_off(message, self.now, &mut line.first_of)
        {
            return Verdict::Moves(Why::Closed { until });
        }
        // Who opted out is sent nothing, and so needs no place.
        let pass = match &self.gate {
            Some(gate) if !candidate.opted_out => gate.pass(message.msisdn, candidate.tier),
            Some(_) | None => Some(Pass::Uncounted),
        };
        let Some(pass) = pass else {
            let following = |steps| message.present.marks.following(line.queue.step, steps);
            let goes_on = line.goes_on.and_then(following).is_some();
            return if goes_on { Verdict::Moves(Why::TierSpent) } else { Verdict::WaitsForPlace };
        };
        match line.cap.as_ref().map(|cap| self.purse.cost(line.queue, cap, candidate)) {
            Some(Err(capped)) => Verdict::Capped(capped),
            Some(Ok(cost)) => Verdict::Leaves { pass, cost },
            None => Verdict::Leaves { pass, cost: Money::ZERO },
        }
    }

    /// Takes what somebody who leaves needs.
    fn lets_go(&mut self, line: &Line, Leaving { candidate, pass, cost }: &Leaving) {
        if line.cap.is_some() {
            self.purse.pay(line.queue, *cost);
        }
        if let Some(gate) = self.gate.as_mut().filter(|_| *pass == Pass::Place) {
            gate.let_in(candidate.message.msisdn, candidate.tier);
        }
    }
}

/// Whether it must not leave any more: its waiting is over, or it had never left when its batch ended.
fn is_over(present: &Present, ends_at: Option<Timestamp>, now: Timestamp) -> bool {
    let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let gives_up = if let State::Queued { gives_up, .. } = present.state { gives_up } else { None };
    is_past(gives_up) || present.first_left.is_none() && is_past(ends_at)
}

/// Where somebody stands in their queue.
fn place(message: &Loaded) -> Option<(Timestamp, u32)> {
    message.present.turn().map(|turn| (turn, message.key.n))
}
