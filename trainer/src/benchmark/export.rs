//! A world as files: rows, and the truth about them, for whoever wants to find the combinations by
//! another program. `docs/benchmark.md` describes the files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

use super::rows::Rows;
use super::world::World;
use super::world_rows::ROWS_AT_ONCE;
use crate::analysis::screening::sparse::SparseRows;
use crate::complaint::Complaint;
use crate::files::write_whole;
use crate::interrupt;

/// The name of the file that says what the others mean.
pub const DESCRIPTION: &str = "world.json";

/// How many rows of each kind to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportRows {
    /// Rows to learn from: the first ones that our own trainings see.
    pub training: usize,
    /// Rows on which thresholds are chosen and features are matched.
    pub threshold: usize,
    /// Rows on which methods are compared.
    pub test: usize,
}

type Split = (&'static str, usize, Vec<(String, usize)>);

impl ExportRows {
    /// About how many bytes these rows of a world take.
    pub fn bytes(&self, world: &World) -> u64 {
        let groups = world.rules.iter().map(|rule| rule.rate).sum::<f64>();
        let entries = world.config.mean_l0 + 1.5 * groups;
        let row = 4.0 * world.config.d_model as f64 + 8.0 * entries + 16.0;
        ((self.training + self.threshold + self.test) as f64 * row) as u64
    }

    /// Each file's name, how many rows it has, and how many of which streams.
    fn splits(&self) -> [Split; 3] {
        let one = |name: &str, count| vec![(format!("{name} rows"), count)];
        let chunk = |start| ROWS_AT_ONCE.min(self.training - start);
        let chunks = (0..self.training).step_by(ROWS_AT_ONCE).enumerate();
        let training = chunks.map(|(n, start)| (format!("training rows {n}"), chunk(start)));
        [
            ("training", self.training, training.collect()),
            ("threshold", self.threshold, one("threshold", self.threshold)),
            ("test", self.test, one("test", self.test)),
        ]
    }
}

/// Writes `world` into `folder`, which must not exist or be empty; it appears when it is complete.
///
/// # Errors
/// The folder holds something, the user stops the program, or a file cannot be written.
pub fn export(world: &World, rows: &ExportRows, folder: &Path) -> Result<()> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(Complaint::usage("there is something at the place of the export")
            .detail("place", folder.display())
            .fix("choose another folder, or remove it")
            .into());
    }
    let part = beside(folder);
    let written = write(world, rows, &part).and_then(|()| {
        // An empty folder gives way.
        let _ = fs::remove_dir(folder);
        fs::rename(&part, folder).context("the finished folder cannot get its name")
    });
    if let Err(error) = written {
        let _ = fs::remove_dir_all(&part); // what failed first is what the user should hear of
        if error.is::<Complaint>() {
            return Err(error);
        }
        return Err(Complaint::failed(format!("the world cannot be written: {error:#}"))
            .detail("folder", folder.display())
            .fix("choose another folder with --export, or fewer rows with --export-rows")
            .into());
    }
    Ok(())
}

fn beside(folder: &Path) -> PathBuf {
    // Without a slash at the end, which would make it a name inside the folder.
    let mut name = folder.components().collect::<PathBuf>().into_os_string();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

fn write(world: &World, rows: &ExportRows, folder: &Path) -> Result<()> {
    for (name, _, streams) in rows.splits() {
        let mut all = Rows::default();
        for (stream, count) in streams {
            interrupt::check()?;
            all.append(&world.rows(&stream, count));
        }
        let bytes = rows_bytes(&all, world.config.d_model)?;
        write_whole(&folder.join(format!("{name}.safetensors")), &bytes)?;
    }
    write_whole(&folder.join("world.safetensors"), &world_bytes(world)?)?;
    let mut bytes = serde_json::to_vec_pretty(&description(world, rows))?;
    bytes.push(b'\n');
    Ok(write_whole(&folder.join(DESCRIPTION), &bytes)?)
}

/// A tensor's name, type, shape and bytes.
type Entry = (&'static str, Dtype, Vec<usize>, Vec<u8>);

fn floats(name: &'static str, shape: Vec<usize>, values: &[f32]) -> Entry {
    (name, Dtype::F32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// A sparse table as where each row begins, ids and values.
fn sparse(names: [&'static str; 3], rows: &SparseRows) -> [Entry; 3] {
    let mut starts = vec![0_i64];
    let (mut ids, mut values) = (vec![], vec![]);
    for row in 0..rows.len() {
        let (row_ids, row_values) = rows.row(row);
        ids.extend(row_ids.iter().flat_map(|id| (*id as i32).to_le_bytes()));
        values.extend_from_slice(row_values);
        starts.push(values.len() as i64);
    }
    let starts_bytes = starts.iter().flat_map(|start| start.to_le_bytes()).collect();
    [
        (names[0], Dtype::I64, vec![starts.len()], starts_bytes),
        (names[1], Dtype::I32, vec![values.len()], ids),
        floats(names[2], vec![values.len()], &values),
    ]
}

fn rows_bytes(rows: &Rows, d_model: usize) -> Result<Vec<u8>> {
    let count = rows.active.len();
    let mut entries = vec![floats("activations", vec![count, d_model], &rows.activations)];
    entries.extend(sparse(["active_starts", "active_ids", "active_strengths"], &rows.active));
    entries.extend(sparse(["fired_starts", "fired_ids", "fired_amounts"], &rows.fired));
    bytes_of(&entries)
}

fn world_bytes(world: &World) -> Result<Vec<u8>> {
    let (n_features, d_model) = (world.config.n_features, world.config.d_model);
    let effects: Vec<f32> = world.rules.iter().flat_map(|rule| rule.effect.clone()).collect();
    let marginals: Vec<f32> = world.marginals.iter().map(|share| *share as f32).collect();
    let strengths: Vec<f32> = world.strengths.iter().map(|value| value * world.scale).collect();
    bytes_of(&[
        floats("directions", vec![n_features, d_model], &world.directions),
        floats("effects", vec![world.rules.len(), d_model], &effects),
        floats("marginals", vec![n_features], &marginals),
        floats("strengths", vec![n_features], &strengths),
    ])
}

fn bytes_of(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut views = vec![];
    for (name, dtype, shape, bytes) in entries {
        views.push((*name, TensorView::new(*dtype, shape.clone(), bytes)?));
    }
    Ok(serialize(views, None)?)
}

fn description(world: &World, rows: &ExportRows) -> Value {
    let splits = rows.splits().map(|(name, count, streams)| {
        let streams: Vec<String> = streams.into_iter().map(|(stream, _)| stream).collect();
        let file = format!("{name}.safetensors");
        json!({ "name": name, "file": file, "rows": count, "streams": streams })
    });
    let rules: Vec<Value> = world
        .rules
        .iter()
        .map(|rule| {
            json!({
                "parts": rule.parts,
                "kind": rule.kind,
                "rate": rule.rate,
                "target": rule.target,
                "counts": rule.kind.is_visible(),
            })
        })
        .collect();
    json!({
        "format": "csae-benchmark-world",
        "version": 1,
        "made_by": crate::version(),
        "config": world.config,
        "null": world.delta == 0.0,
        "noise": world.noise * world.scale,
        "splits": splits,
        "rules": rules,
        "decoys": world.decoys,
    })
}
