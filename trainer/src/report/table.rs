//! A table, once exact for programs and once rounded for people.

use std::fmt::Write;

/// What stands in a place of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number; one that is not known is an empty place.
    Number(Option<f64>),
}

/// Rows under named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The name of its file, and where links in the report lead.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// The rows, each as wide as the columns.
    pub rows: Vec<Vec<Cell>>,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Option<f64>> for Cell {
    fn from(number: Option<f64>) -> Self {
        Self::Number(number)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(Some(number))
    }
}

impl Table {
    /// Every digit of every number.
    pub fn csv(&self) -> String {
        let mut text = self.columns.join(",") + "\n";
        for row in &self.rows {
            let fields: Vec<String> = row.iter().map(exact).collect();
            let _ = writeln!(text, "{}", fields.join(","));
        }
        text
    }

    /// Numbers with five digits.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("| {} |\n|{}\n", self.columns.join(" | "), "---|".repeat(self.columns.len()));
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(rounded).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text
    }
}

fn exact(cell: &Cell) -> String {
    match cell {
        Cell::Number(number) => number.map_or(String::new(), |number| number.to_string()),
        Cell::Text(text) if text.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Cell::Text(text) => text.clone(),
    }
}

fn rounded(cell: &Cell) -> String {
    match cell {
        Cell::Number(number) => number.map_or(String::new(), digits),
        Cell::Text(text) => text.replace('|', "\\|").replace('\n', " "),
    }
}

/// A number for a person: whole as it is, others with five digits.
pub fn digits(number: f64) -> String {
    let size = number.abs();
    match size {
        _ if number.fract() == 0.0 && size < 1e9 => format!("{number}"),
        _ if size < 1e-4 => format!("{number:.2e}"),
        _ if size < 100.0 => format!("{number:.5}"),
        _ => format!("{number:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_every_digit_and_people_five() {
        let table = Table {
            name: "t",
            title: "T",
            columns: vec!["a", "b", "c"],
            rows: vec![
                vec!["x, y".into(), (1.0 / 3.0).into(), None.into()],
                vec!["p|q".into(), 12_345.678.into(), Some(4.0).into()],
            ],
        };

        assert_eq!(table.csv(), "a,b,c\n\"x, y\",0.3333333333333333,\np|q,12345.678,4\n");
        let expected =
            "| a | b | c |\n|---|---|---|\n| x, y | 0.33333 |  |\n| p\\|q | 12345.7 | 4 |\n";
        assert_eq!(table.markdown(), expected);
        assert_eq!(digits(0.000_012_3), "1.23e-5");
    }
}
