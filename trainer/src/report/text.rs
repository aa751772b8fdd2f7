//! `report.md`: what the runs say, each sentence linked to its table, then tables and pictures.

use std::fmt::Write;

use shared::plot::Chart;

use super::claims::Claim;
use super::recorded::{Learned, Recorded};
use super::table::Table;

/// A table with more rows than this is linked, not shown.
const MOST_ROWS: usize = 80;

/// What stands before all tables.
const WARNING: &str = "\
Numbers compare only where data set (and its SHA-256), profile, device, block, rows, number of active
features, steps and the version of csae are the same: the table of runs says where they are. A profile is
a size: `smoke` is for tests and says nothing about models, `cpu` learns a small language model for a
short time, `full` has nanoGPT's sizes. The numbers that the source has published were made by another
program with a profile of its own on a machine that it does not name; they stand beside ours to show the
order of magnitude, and nothing here is computed from them. A run whose remark is not empty read another
text than its name promises, or a part of it. Only the second half of each window is replaced by
reconstructions, so CE recovered does not compare with the field's.";

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
        text += &picture(&chart.title, &format!("plots/{name}"));
    }
    for run in runs {
        text += &of_run(run);
    }
    text
}

fn picture(title: &str, path: &str) -> String {
    format!("\n![{title}]({path}.png)\n\n[SVG]({path}.svg), [CSV]({path}.csv)\n")
}

/// The tables and pictures that a run has made itself.
fn of_run(Recorded { name: run, own, .. }: &Recorded) -> String {
    let mut text = String::new();
    if own.files.is_empty() {
        return text;
    }
    let _ = write!(text, "\n## {run}: its own tables and pictures\n");
    let trainings = own.files.keys().filter(|name| name.ends_with("trainings.csv"));
    for name in trainings {
        let _ = write!(text, "\n[What each training gave]({run}/{name}) (CSV, {name})\n");
    }
    for (table, markdown) in &own.tables {
        let rest = markdown.split_once('\n').map_or("", |(_, rest)| rest).trim();
        let _ = write!(text, "\n### {run}, {table}\n\n[CSV]({run}/{table}.csv)\n\n{rest}\n");
    }
    for name in &own.pictures {
        text += &picture(&format!("{run}, {name}"), &format!("{run}/{name}"));
    }
    text
}

/// A warning where the runs were made under different conditions.
fn unlike(runs: &[Recorded]) -> Option<String> {
    let mut conditions: Vec<Learned> =
        runs.iter().flat_map(Recorded::results).map(|of| of.learned()).collect();
    conditions.sort();
    conditions.dedup();
    let told: Vec<String> = conditions.iter().map(Learned::to_string).collect();
    (told.len() > 1).then(|| {
        format!("These runs are unlike: {}. Nothing is compared across these.", told.join("; "))
    })
}
