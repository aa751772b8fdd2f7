//! A table of which most entries are 0, by rows and by columns.

/// Rows of `(id, value)` with ascending ids: codes of features, or rules that fired.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows {
    /// Where each row begins, and at last where the last one ends.
    starts: Vec<usize>,
    ids: Vec<u32>,
    values: Vec<f32>,
}

impl Default for SparseRows {
    fn default() -> Self {
        Self { starts: vec![0], ids: Vec::new(), values: Vec::new() }
    }
}

impl SparseRows {
    /// Adds a row. The ids may come in any order.
    pub fn push(&mut self, entries: impl IntoIterator<Item = (u32, f32)>) {
        let begin = self.ids.len();
        let mut row: Vec<(u32, f32)> = entries.into_iter().collect();
        row.sort_unstable_by_key(|entry| entry.0);
        self.ids.extend(row.iter().map(|entry| entry.0));
        self.values.extend(row.iter().map(|entry| entry.1));
        debug_assert!(self.ids[begin..].is_sorted());
        self.starts.push(self.ids.len());
    }

    /// Adds the numbers above 0 of rows with `n_features` numbers each.
    pub fn push_dense(&mut self, rows: &[f32], n_features: usize) {
        for row in rows.chunks_exact(n_features) {
            self.push((0_u32..).zip(row.iter().copied()).filter(|(_, value)| *value > 0.0));
        }
    }

    /// Adds the rows of `other` below.
    pub fn append(&mut self, other: &Self) {
        let before = self.ids.len();
        self.starts.extend(other.starts[1..].iter().map(|start| before + start));
        self.ids.extend(&other.ids);
        self.values.extend(&other.values);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries there are in all rows.
    pub fn entries(&self) -> usize {
        self.ids.len()
    }

    /// The largest id, if there is any entry.
    pub fn largest_id(&self) -> Option<usize> {
        self.ids.iter().max().map(|&id| id as usize)
    }

    /// The ids and values of one row.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.ids[range.clone()], &self.values[range])
    }

    /// The `(id, value)` of one row.
    pub fn entries_of(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let (ids, values) = self.row(row);
        ids.iter().map(|&id| id as usize).zip(values.iter().copied())
    }

    /// The value of `id` in `row`, if it has one.
    pub fn value(&self, row: usize, id: usize) -> Option<f32> {
        let (ids, values) = self.row(row);
        ids.binary_search(&(id as u32)).ok().map(|place| values[place])
    }

    /// The same table by columns `0..count`.
    pub fn columns(&self, count: usize) -> Vec<Column> {
        let mut columns = vec![Column::new(); count];
        for row in 0..self.len() {
            for (id, value) in self.entries_of(row) {
                columns[id].push((row as u32, value));
            }
        }
        columns
    }

    /// The same table by rows, `count` of them.
    pub fn from_columns(columns: &[Column], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        for &(row, _) in columns.iter().flatten() {
            starts[row as usize + 1] += 1;
        }
        for row in 0..count {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let total = starts[count];
        let (mut ids, mut values) = (vec![0; total], vec![0.0; total]);
        for (id, column) in columns.iter().enumerate() {
            for &(row, value) in column {
                let place = &mut next[row as usize];
                (ids[*place], values[*place]) = (id as u32, value);
                *place += 1;
            }
        }
        Self { starts, ids, values }
    }
}

/// One column: `(row, value)`, rows ascending.
pub type Column = Vec<(u32, f32)>;

/// The mean of a column where it has entries, 0 without any.
pub fn mean_strength(column: &Column) -> f32 {
    let sum: f64 = column.iter().map(|(_, strength)| f64::from(*strength)).sum();
    (sum / column.len().max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> SparseRows {
        let mut rows = SparseRows::default();
        rows.push([(2, 0.5), (0, 1.0)]);
        rows.push([]);
        rows.push([(2, 3.0)]);
        rows
    }

    #[test]
    fn rows_are_sorted_by_id_and_can_be_empty() {
        let rows = table();

        assert_eq!(rows.row(0), ([0, 2].as_slice(), [1.0, 0.5].as_slice()));
        assert_eq!(rows.row(1).0.len(), 0);
        assert_eq!((rows.value(0, 2), rows.value(0, 1)), (Some(0.5), None));
        assert_eq!((rows.len(), rows.entries(), rows.largest_id()), (3, 3, Some(2)));
    }

    #[test]
    fn columns_and_rows_are_the_same_table() {
        let rows = table();

        let columns = rows.columns(3);

        assert_eq!(columns, vec![vec![(0, 1.0)], vec![], vec![(0, 0.5), (2, 3.0)]]);
        assert_eq!(SparseRows::from_columns(&columns, 3), rows);
    }

    #[test]
    fn appending_keeps_the_rows_of_both() {
        let mut rows = table();
        rows.append(&table());

        assert_eq!(rows.len(), 6);
        assert_eq!(rows.row(5), rows.row(2));
        assert_eq!(rows.row(3), rows.row(0));
    }
}
