//! The `where` of a campaign: selects recipients by their columns.
//!
//! `Consent = "yes" and (City in ["Köln", "Bonn"] or Score >= 10)`

mod decimal;
mod error;
mod syntax;
mod tokens;

use decimal::Decimal;
pub use error::SelectionError;

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::{count_steps, find_column};

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

/// A condition on columns of the type `C`: names, or indexes once the columns of the file are known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition<C> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// The cell is one of the values.
    In(C, Arc<Values>),
    /// The cell is a number in this order to another one.
    Compared(C, Order, Decimal<'static>),
}

/// Values that a cell is looked up in, however many they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Values {
    /// Each is equal to the same text only.
    texts: HashSet<String>,
    /// Each is equal to every number of the same value, such as 10 and 10.0.
    numbers: HashSet<Decimal<'static>>,
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

    /// Finds the columns that it names.
    pub fn bind(&self, columns: &[String]) -> Result<BoundSelection, SelectionError> {
        let find = |column: &NamedColumn| {
            find_column(&column.name, columns).map_err(|error| SelectionError { at: column.at, wrong: error.into() })
        };
        Ok(BoundSelection(self.condition.bound(&find)?))
    }
}

/// A selection for the columns of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundSelection(Condition<usize>);

impl BoundSelection {
    /// Whether a row is selected. `cell` returns the text of a column.
    pub fn selects<'a>(&self, cell: impl Fn(usize) -> &'a str) -> bool {
        self.0.holds(&cell)
    }
}

impl Condition<NamedColumn> {
    fn bound(
        &self,
        find: &impl Fn(&NamedColumn) -> Result<usize, SelectionError>,
    ) -> Result<Condition<usize>, SelectionError> {
        let all = |parts: &[Self]| parts.iter().map(|part| part.bound(find)).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::All(parts) => Condition::All(all(parts)?),
            Self::Any(parts) => Condition::Any(all(parts)?),
            Self::Not(part) => Condition::Not(Box::new(part.bound(find)?)),
            Self::In(column, values) => Condition::In(find(column)?, Arc::clone(values)),
            Self::Compared(column, order, number) => Condition::Compared(find(column)?, *order, number.clone()),
        })
    }
}

impl Condition<usize> {
    fn holds<'a>(&self, cell: &impl Fn(usize) -> &'a str) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(cell)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(cell)),
            Self::Not(part) => !part.holds(cell),
            Self::In(column, values) => {
                count_steps(1);
                values.contain(cell(*column))
            }
            Self::Compared(column, order, limit) => Decimal::read(cell(*column)).is_some_and(|number| {
                count_steps(1);
                let ordering = number.cmp(limit);
                match order {
                    Order::Below => ordering.is_lt(),
                    Order::AtMost => ordering.is_le(),
                    Order::Above => ordering.is_gt(),
                    Order::AtLeast => ordering.is_ge(),
                }
            }),
        }
    }
}

impl Values {
    fn contain(&self, cell: &str) -> bool {
        self.texts.contains(cell)
            || (!self.numbers.is_empty() && Decimal::read(cell).is_some_and(|number| self.numbers.contains(&number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::steps_of;

    /// Whether the expression selects a row with Consent, City, Score and First name.
    fn selects(expression: &str, row: [&str; 4]) -> bool {
        let columns = ["Consent", "City", "Score", "First name"].map(str::to_owned);
        Selection::parse(expression).unwrap().bind(&columns).unwrap().selects(|index| row[index])
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
