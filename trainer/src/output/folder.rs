//! Files of a folder that `--out` names, whole or not there, and what is printed beside them.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use shared::plot::Chart;

use super::png;
use crate::complaint::Complaint;
use crate::files::write_whole;

/// Writes one file of `out`.
///
/// # Errors
/// It cannot be written.
pub fn write(out: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = out.join(name);
    write_whole(&path, bytes).map_err(|error| {
        Complaint::failed(format!("cannot write {}: {error}", path.display()))
            .fix("choose another folder with --out")
    })?;
    Ok(())
}

/// Writes a JSON file with all keys of `parts`, and what made it.
///
/// # Errors
/// It cannot be written.
pub fn write_json(out: &Path, name: &str, parts: &[Value]) -> Result<()> {
    let mut result = json!({ "made_by": crate::version() });
    for (key, value) in parts.iter().filter_map(Value::as_object).flatten() {
        result[key] = value.clone();
    }
    let mut bytes = serde_json::to_vec_pretty(&result)?;
    bytes.push(b'\n');
    write(out, name, &bytes)
}

/// Writes charts as SVG, PNG and CSV into `plots/`, and gives their names.
///
/// # Errors
/// A file cannot be written.
pub fn write_plots(out: &Path, charts: Vec<(String, Chart)>) -> Result<Vec<String>> {
    let mut names = vec![];
    for (name, chart) in charts {
        for (file, bytes) in plot(&name, &chart)? {
            write(out, &file, &bytes)?;
        }
        names.push(name);
    }
    Ok(names)
}

/// A chart as SVG, PNG and CSV, by their names.
///
/// # Errors
/// It cannot be drawn.
pub fn plot(name: &str, chart: &Chart) -> Result<[(String, Vec<u8>); 3]> {
    const WIDTH: u32 = 1_440;
    let svg = chart.to_svg();
    let png = png::render(&svg, WIDTH)?;
    let files = [("svg", svg.into_bytes()), ("png", png), ("csv", chart.to_csv().into_bytes())];
    Ok(files.map(|(end, bytes)| (format!("plots/{name}.{end}"), bytes)))
}

/// Prints a table. Whoever reads it may have gone; the result is in the files.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
