//! How many of a campaign's people each step is for.

use std::collections::BTreeMap;

use crate::domain::{Country, Plan, StepIndex};

/// The people of a campaign, shared out among the steps of its route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    places: [Share; StepIndex::COUNT_MAX as usize],
    /// Those whom no step is for, by country.
    pub nobodys: BTreeMap<Country, u64>,
}

/// One step's part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Whom the step is for.
    pub people: u64,
    /// Those who begin with it.
    pub beginning: u64,
    /// Those for whom a step comes after it.
    pub followed: u64,
}

impl Shares {
    pub fn of(plan: &Plan, countries: &BTreeMap<Country, u64>) -> Self {
        let mut shares = Self::default();
        for (country, people) in countries {
            let marks = plan.marks_at_first(Some(*country));
            let first = plan.first(marks);
            if first.is_none() {
                shares.nobodys.insert(*country, *people);
            }
            for (index, _) in plan.places().filter(|(index, _)| !marks.passed_over(*index)) {
                let share = &mut shares.places[index.index()];
                share.people += people;
                share.beginning += if first == Some(index) { *people } else { 0 };
                share.followed += if plan.after(index, marks).is_some() { *people } else { 0 };
            }
        }
        shares
    }

    pub const fn at(&self, index: StepIndex) -> Share {
        self.places[index.index()]
    }
}
