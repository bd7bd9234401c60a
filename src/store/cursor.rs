//! Defines positions in lists that grow at their end.

/// A position in a list of rows in the order in which they arrived, such as events. Only the store that returned it knows
/// what it contains; nobody else counts on numbers or on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Cursor(pub(super) i64, pub(super) i64);

impl Cursor {
    /// Before the first row.
    pub const START: Self = Self(i64::MIN, i64::MIN);

    /// The position of the row with this id, where ids alone give the order.
    pub(super) const fn of_id(id: i64) -> Self {
        Self(id, 0)
    }

    pub(super) const fn id(self) -> i64 {
        self.0
    }

    /// The number of the row, by which others name it where ids alone give the order.
    pub const fn row(self) -> i64 {
        self.0
    }
}
