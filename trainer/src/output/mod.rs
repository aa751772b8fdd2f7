//! From results to bytes, and from bytes to files: the only place that writes results.

pub mod bundle;
pub mod causal;
pub mod combinations;
pub mod comparisons;
pub mod curves;
pub mod extractors;
pub mod final_info;
pub mod folded;
pub mod folder;
pub mod hidden;
pub mod npy;
pub mod plots;
pub mod png;
pub mod saelens;
pub mod sparsify;
pub mod tables;

use anyhow::Result;

use crate::experiment::Experiment;
use crate::results::Results;
use crate::run_folder::FINAL_INFO;

/// Writes everything that a finished run holds, `final_info.json` last.
///
/// # Errors
/// A file cannot be written.
pub fn write(experiment: &Experiment, results: &Results) -> Result<()> {
    let folder = &experiment.folder;
    let info = final_info::of(experiment, results);
    let bundle = bundle::of(experiment, results);
    for (name, bytes) in bundle.to_files()? {
        folder.write(&format!("export/{name}"), &bytes)?;
    }
    for (name, bytes) in extractors::files(experiment, results)? {
        folder.write(&name, &bytes)?;
    }
    for (name, table) in combinations::tables(results).chain(causal::tables(results)) {
        folder.write(&name, table.as_bytes())?;
    }
    for (name, table) in hidden::tables(results) {
        folder.write(&name, table.as_bytes())?;
    }
    for (name, table) in comparisons::tables(results).into_iter().chain(curves::tables(results)) {
        folder.write(&name, table.as_bytes())?;
    }
    let mut charts = plots::all(results);
    charts.extend(comparisons::charts(results));
    charts.extend(curves::charts(results));
    charts.extend(causal::charts(results, &experiment.text.corpus.vocab));
    charts.extend(hidden::charts(results));
    for (name, chart) in charts {
        for (file, bytes) in folder::plot(&name, &chart)? {
            folder.write(&file, &bytes)?;
        }
    }
    folder.write(
        "all_results.npy",
        &npy::all_results(&experiment.text.corpus.name, results, &info)?,
    )?;
    folder.write("notes.txt", tables::notes(experiment, results).as_bytes())?;
    folder.write("README.txt", tables::readme(experiment).as_bytes())?;
    let mut bytes = serde_json::to_vec_pretty(&info)?;
    bytes.push(b'\n');
    folder.write(FINAL_INFO, &bytes)?;
    folder.remove_checkpoints()
}
