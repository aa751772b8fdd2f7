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
pub mod interactions;
pub mod interchange;
pub mod npy;
pub mod plots;
pub mod png;
pub mod saelens;
pub mod sparsify;
pub mod tables;

use anyhow::Result;
use serde::Serialize;
use shared::report::FinalInfo;

use crate::experiment::{Experiment, Run};
use crate::results::Results;
use crate::run_folder::{CONFIG, FINAL_INFO};

/// Writes everything that a finished run holds, `final_info.json` last.
///
/// # Errors
/// A file cannot be written.
pub fn write(run: &Run, explained: &[(Experiment, Results)]) -> Result<()> {
    let mut infos = FinalInfo::new();
    for (experiment, results) in explained {
        write_own(experiment, results)?;
        let info = (experiment.text.corpus.name.clone(), final_info::of(experiment, results));
        if experiment.apart.is_some() {
            // So that its folder can be shown as that of a run.
            experiment.write(CONFIG, &json_bytes(&experiment.config())?)?;
            experiment.write(FINAL_INFO, &json_bytes(&FinalInfo::from([info.clone()]))?)?;
        }
        infos.extend([info]);
    }
    let folder = &run.folder;
    folder.write("all_results.npy", &npy::all_results(explained, &infos)?)?;
    folder.write("notes.txt", tables::notes(run, explained).as_bytes())?;
    folder.write("README.txt", tables::readme(run).as_bytes())?;
    folder.write(FINAL_INFO, &json_bytes(&infos)?)?;
    folder.remove_checkpoints()
}

fn json_bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Writes what is of one text alone.
fn write_own(experiment: &Experiment, results: &Results) -> Result<()> {
    for (name, bytes) in bundle::of(experiment, results).to_files()? {
        experiment.write(&format!("export/{name}"), &bytes)?;
    }
    for (name, bytes) in extractors::files(experiment, results)? {
        experiment.write(&name, &bytes)?;
    }
    let tables = combinations::tables(results)
        .chain(causal::tables(results))
        .chain(hidden::tables(results))
        .chain(interchange::tables(results))
        .chain(comparisons::tables(results))
        .chain(curves::tables(results))
        .chain(interactions::tables(results))
        .chain([tables::every_training(results)]);
    for (name, table) in tables {
        experiment.write(&name, table.as_bytes())?;
    }
    let mut charts = plots::all(results);
    charts.extend(comparisons::charts(results));
    charts.extend(curves::charts(results));
    charts.extend(causal::charts(results, &experiment.text.corpus.vocab));
    charts.extend(hidden::charts(results));
    for (name, chart) in charts {
        for (file, bytes) in folder::plot(&name, &chart)? {
            experiment.write(&file, &bytes)?;
        }
    }
    Ok(())
}
