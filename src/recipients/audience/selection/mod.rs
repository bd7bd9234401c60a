//! The `where` of a campaign: selects recipients by their columns.
//!
//! `Consent = "yes" and (City in ["Köln", "Bonn"] or Score >= 10 or Joined < 2026-01-01)`

mod decimal;
mod error;
mod finding;
mod notation;
mod syntax;
mod tokens;

use decimal::Decimal;
pub use error::SelectionError;
pub use finding::Misread;
pub use notation::Evidence;
use notation::{Kind, Notation};

use std::cmp::Ordering;
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::base::domain::{count_steps, find_column};

/// A condition on the columns of a recipient, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    text: String,
    condition: Condition<NamedColumn>,
}

/// A column as the expression names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedColumn {
    name: String,
    /// The character of the expression at which the name begins, from 1.
    at: usize,
}

/// A column of the source, and how it writes numbers and dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BoundColumn {
    index: usize,
    notation: Notation,
}

/// A condition on columns of the type `C`: named, or bound once the columns of the source are known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition<C> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// The cell is one of the values.
    In(C, Arc<Values>),
    /// The cell is a number or a date in this order to another one.
    Compared(C, Order, Limit),
}

/// What a cell is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Limit {
    Number(Decimal<'static>),
    Day(NaiveDate),
}

/// Values that a cell is looked up in, however many they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Values {
    /// Each is equal to the same text only.
    texts: HashSet<String>,
    /// Each is equal to every number of the same value, such as 10 and 10.0.
    numbers: HashSet<Decimal<'static>>,
    /// Each is equal to the same day in any notation.
    days: HashSet<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Selection {
    pub fn parse(text: &str) -> Result<Self, SelectionError> {
        Ok(Self { text: text.to_owned(), condition: syntax::parse(text)? })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it compares columns with numbers or dates.
    pub fn compares(&self) -> bool {
        self.condition.compares()
    }

    /// Finds the columns that it names.
    pub fn bind(&self, columns: &[String]) -> Result<BoundSelection, SelectionError> {
        let find = |column: &NamedColumn| match find_column(&column.name, columns) {
            Ok(index) => Ok(BoundColumn { index, notation: Notation::default() }),
            Err(error) => Err(SelectionError { at: column.at, wrong: error.into() }),
        };
        Ok(BoundSelection(self.condition.with_columns(&find)?))
    }
}

/// A selection for the columns of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundSelection(Condition<BoundColumn>);

impl BoundSelection {
    /// Whether a row is selected. `cell` returns the text of a column.
    pub fn selects<'a>(&self, cell: impl Fn(usize) -> &'a str) -> bool {
        self.0.holds(&cell)
    }

    /// What is to be known of the cells of all rows before one can be selected: empty, except where columns are compared with
    /// numbers or dates.
    pub fn evidence(&self) -> Evidence {
        let mut evidence = Evidence::default();
        self.0.look_for(&mut evidence);
        evidence
    }

    /// The same selection for the notations that the cells speak for.
    pub fn reading(&self, evidence: &Evidence) -> Self {
        let read = |column: &BoundColumn| BoundColumn { notation: evidence.notation(column.index), ..*column };
        let Ok(condition) = self.0.with_columns(&|column| Ok::<_, Infallible>(read(column)));
        Self(condition)
    }
}

impl<C> Condition<C> {
    fn compares(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::compares),
            Self::Not(part) => part.compares(),
            Self::In(_, values) => !values.numbers.is_empty() || !values.days.is_empty(),
            Self::Compared(..) => true,
        }
    }

    /// The same condition with other columns.
    fn with_columns<D, E>(&self, column: &impl Fn(&C) -> Result<D, E>) -> Result<Condition<D>, E> {
        let all = |parts: &[Self]| parts.iter().map(|part| part.with_columns(column)).collect::<Result<Vec<_>, E>>();
        Ok(match self {
            Self::All(parts) => Condition::All(all(parts)?),
            Self::Any(parts) => Condition::Any(all(parts)?),
            Self::Not(part) => Condition::Not(Box::new(part.with_columns(column)?)),
            Self::In(one, values) => Condition::In(column(one)?, Arc::clone(values)),
            Self::Compared(one, order, limit) => Condition::Compared(column(one)?, *order, limit.clone()),
        })
    }
}

impl Condition<BoundColumn> {
    fn look_for(&self, evidence: &mut Evidence) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.look_for(evidence)),
            Self::Not(part) => part.look_for(evidence),
            Self::In(column, values) => {
                for (kind, is_compared) in
                    [(Kind::Number, !values.numbers.is_empty()), (Kind::Day, !values.days.is_empty())]
                {
                    if is_compared {
                        // A cell that is no number may well be one of the texts beside it.
                        evidence.expect(column.index, kind, kind == Kind::Day);
                    }
                }
            }
            Self::Compared(column, _, limit) => evidence.expect(column.index, limit.kind(), true),
        }
    }

    fn holds<'a>(&self, cell: &impl Fn(usize) -> &'a str) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(cell)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(cell)),
            Self::Not(part) => !part.holds(cell),
            Self::In(column, values) => {
                count_steps(1);
                values.contain(cell(column.index), column.notation)
            }
            Self::Compared(column, order, limit) => {
                limit.beside(cell(column.index), column.notation).is_some_and(|ordering| {
                    count_steps(1);
                    match order {
                        Order::Below => ordering.is_lt(),
                        Order::AtMost => ordering.is_le(),
                        Order::Above => ordering.is_gt(),
                        Order::AtLeast => ordering.is_ge(),
                    }
                })
            }
        }
    }
}

impl Limit {
    const fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::Day(_) => Kind::Day,
        }
    }

    /// How a cell compares with it; `None` if the cell is no number, or no date.
    fn beside(&self, cell: &str, notation: Notation) -> Option<Ordering> {
        match self {
            Self::Number(limit) => Some(notation.number(cell)?.cmp(limit)),
            Self::Day(limit) => Some(notation.day(cell)?.cmp(limit)),
        }
    }
}

impl Values {
    fn contain(&self, cell: &str, notation: Notation) -> bool {
        self.texts.contains(cell)
            || (!self.numbers.is_empty() && notation.number(cell).is_some_and(|number| self.numbers.contains(&number)))
            || (!self.days.is_empty() && notation.day(cell).is_some_and(|day| self.days.contains(&day)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::steps_of;

    /// Whether the expression selects a row with Consent, City, Score and First name.
    fn selects(expression: &str, row: [&str; 4]) -> bool {
        let columns = ["Consent", "City", "Score", "First name"].map(str::to_owned);
        Selection::parse(expression).unwrap().bind(&columns).unwrap().selects(|index| row[index])
    }

    /// The cells of one column that the expression selects.
    fn selected<'a>(expression: &str, cells: &[&'a str]) -> Vec<&'a str> {
        let bound = Selection::parse(expression).unwrap().bind(&["Bonus €".to_owned()]).unwrap();
        let mut evidence = bound.evidence();
        cells.iter().for_each(|cell| evidence.see(|_| cell));
        let bound = bound.reading(&evidence);
        cells.iter().copied().filter(|cell| bound.selects(|_| cell)).collect()
    }

    #[test]
    fn numbers_and_dates_are_compared_as_their_column_writes_them() {
        let commas = ["19,99", "20,00", "1.234,50", "n/a", ""];
        assert_eq!(selected("{{Bonus €}} >= 20", &commas), ["20,00", "1.234,50"]);
        assert_eq!(selected("{{Bonus €}} in [20, 1234.5]", &commas), ["20,00", "1.234,50"]);
        assert_eq!(selected("not {{Bonus €}} < 1000", &commas), ["1.234,50", "n/a", ""]);
        let days = ["31.12.2025", "01.01.2026 08:00", "2026-06-01", "soon"];
        for literal in ["2026-01-01", "01.01.2026", "\"2026-01-01\"", "'1.1.2026'"] {
            assert_eq!(selected(&format!("{{{{Bonus €}}}} >= {literal}"), &days), days[1..3], "{literal}");
        }
        assert_eq!(selected("{{Bonus €}} = 2026-01-01", &days), ["01.01.2026 08:00"]);
        assert_eq!(selected("{{Bonus €}} in ['soon', 31.12.2025]", &days), ["31.12.2025", "soon"]);
        assert_eq!(selected("{{Bonus €}} = \"2026-01-01\"", &days), [""; 0]);
    }

    const ANN: [&str; 4] = ["yes", "Köln", "10", "Ann"];

    #[test]
    fn a_row_is_selected_by_its_columns() {
        for (expression, is_selected) in [
            (r#"Consent = "yes" and City in ["Köln", "Bonn"] and Score >= 10"#, true),
            (r#"Consent = "Yes""#, false),
            (r#"Consent != "yes""#, false),
            (r#"consent = 'yes' AND {{First name}} = "Ann""#, true),
            (r#"City in ["Bonn"]"#, false),
            ("Score < 10", false),
            ("Score <= 10", true),
            ("Score > 9.99", true),
            ("Score = 10.0", true),
            (r#"Score = "10.0""#, false),
            ("Score in [9, 10]", true),
            ("Vorname = \"Ann\"", true),
        ] {
            assert_eq!(selects(expression, ANN), is_selected, "{expression}");
        }
    }

    #[test]
    fn and_comes_before_or_and_not_before_both() {
        for (expression, is_selected) in [
            (r#"City = "Köln" or City = "Bonn" and Score > 99"#, true),
            (r#"(City = "Köln" or City = "Bonn") and Score > 99"#, false),
            (r#"not City = "Bonn" and Score = 10"#, true),
            (r#"not (City = "Bonn" or Score = 10)"#, false),
            (r#"not not City = "Köln""#, true),
            (r#"Score = 1 or Score = 2 or Score = 10"#, true),
        ] {
            assert_eq!(selects(expression, ANN), is_selected, "{expression}");
        }
    }

    #[test]
    fn a_row_takes_a_step_for_each_comparison_however_many_values_a_list_has() {
        let many: Vec<String> = (0..10_000).map(|n| format!("{n}")).collect();
        let text = format!("Score in [{}] or Score < 0", many.join(", "));
        let columns = ["Score".to_owned()];
        let bound = Selection::parse(&text).unwrap().bind(&columns).unwrap();
        for (cell, is_selected) in [("9999.0", true), ("10000", false), ("x", false)] {
            let (selected, steps) = steps_of(|| bound.selects(|_| cell));
            assert!(selected == is_selected && steps <= 2, "{cell}: {steps} steps");
        }
    }

    #[test]
    fn a_cell_that_is_empty_or_no_number_is_in_no_order() {
        for cell in ["", " ", "ten", "1,5", "0x10", "10 %", "1e3", "NaN", "-", "."] {
            let row = ["yes", "Bonn", cell, "Ann"];
            for expression in
                ["Score < 1000000", "Score <= 1000000", "Score > -1000000", "Score >= -1000000", "Score = 0"]
            {
                assert!(!selects(expression, row), "{expression}: {cell}");
            }
            assert!(selects("Score != 0", row) && selects("not Score > 0", row), "{cell}");
        }
    }

    #[test]
    fn an_unknown_or_ambiguous_column_is_refused_with_its_place() {
        let columns = ["Code", "code", "City"].map(str::to_owned);
        let refused = |text: &str| Selection::parse(text).unwrap().bind(&columns).unwrap_err().to_string();
        assert_eq!(
            refused(r#"City = "Bonn" and Cty = "Bonn""#),
            "character 19: unknown column \"Cty\"; did you mean \"City\"? The columns are Code, code, City"
        );
        assert_eq!(
            refused("CODE = 1"),
            "character 1: `CODE` matches the columns `Code` and `code`; write it exactly as in the file"
        );
        assert_eq!(
            refused("Age > 1"),
            "character 1: unknown column \"Age\"; the columns are Code, code, City; use one of them"
        );
    }
}
