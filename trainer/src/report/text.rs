//! `report.md`: what the runs say, each sentence linked to its table, then tables and pictures.

use std::fmt::Write;

use shared::plot::Chart;

use super::claims::Claim;
use super::recorded::{Of, Recorded};
use super::table::Table;

/// A table with more rows than this is linked, not shown.
const MOST_ROWS: usize = 80;

/// What stands before all tables.
const WARNING: &str = "\
Numbers compare only where data set (and its SHA-256), profile, device and the autoencoders' steps are
the same: the table of runs says where they are. A profile is a size: `smoke` is for tests and says nothing about models,
`cpu` learns a small language model for a short time, `full` has nanoGPT's sizes. The numbers that the
source has published were made by another program with a profile of its own on a machine that it does
not name; they stand beside ours to show the order of magnitude, and nothing here is computed from
them. A run whose remark is not empty read another text than its name promises, or a part of it. Only
the second half of each window is replaced by reconstructions, so CE recovered does not compare with
the field's.";

/// The whole report.
pub fn of(
    runs: &[Recorded],
    claims: &[Claim],
    tables: &[Table],
    charts: &[(String, Chart)],
) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let mut text = format!(
        "# Report of {}\n\nMade by {} from what these runs have recorded; nothing was trained.\n\n",
        names.join(", "),
        crate::version()
    );
    text += "## What the runs say\n\n";
    for claim in claims {
        let table = claim.table;
        let _ = writeln!(text, "- {} ([table](#{table}), [CSV]({table}.csv))", claim.text);
    }
    let _ = write!(text, "\n## What does not compare\n\n{WARNING}\n");
    if let Some(unlike) = unlike(runs) {
        let _ = write!(text, "\n**{unlike}**\n");
    }
    text += "\n## Tables\n";
    for table in tables.iter().filter(|table| !table.rows.is_empty()) {
        let Table { name, title, rows, .. } = table;
        let _ = write!(text, "\n### {name}\n\n{title} ([CSV]({name}.csv)).\n\n");
        text += &match rows.len() > MOST_ROWS {
            true => format!("{} rows, see [{name}.md]({name}.md).\n", rows.len()),
            false => table.markdown(),
        };
    }
    text += "\n## Pictures\n";
    for (name, chart) in charts {
        let _ = write!(
            text,
            "\n![{}](plots/{name}.png)\n\n[SVG](plots/{name}.svg), [CSV](plots/{name}.csv)\n",
            chart.title
        );
    }
    text
}

/// A warning where the runs were made under different conditions.
fn unlike(runs: &[Recorded]) -> Option<String> {
    let mut conditions: Vec<[&str; 4]> =
        runs.iter().flat_map(Recorded::results).map(|of: Of| of.conditions()).collect();
    conditions.sort();
    conditions.dedup();
    let told: Vec<String> = conditions
        .iter()
        .map(|[dataset, _, profile, device]| {
            format!("{dataset} with profile {profile} on {device}")
        })
        .collect();
    (told.len() > 1).then(|| {
        format!("These runs are unlike: {}. Nothing is compared across these.", told.join("; "))
    })
}
