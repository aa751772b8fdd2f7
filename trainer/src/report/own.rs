//! What runs have written themselves: tables of differences and of curves, and pictures. A report takes them
//! over as they are.

use std::fs;
use std::path::Path;

use anyhow::Result;
use shared::bundle::Files;

use crate::complaint::Complaint;
use crate::run_folder::FINAL_INFO;
use crate::run_folder::finished::damaged;

/// The tables that a run may have.
const TABLES: [&str; 5] = ["steps", "ablations", "rivals", "pareto", "interactions"];
/// A table that is for programs alone.
const TRAININGS: &str = "trainings.csv";

/// What a run has of its own. Names are those in its folder, without the ending of a file's kind.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// The tables, each with its text.
    pub tables: Vec<(String, String)>,
    /// The pictures.
    pub pictures: Vec<String>,
    /// All files of both.
    pub files: Files,
}

impl Own {
    /// Reads it in the folder of a run, and in those of its further texts.
    ///
    /// # Errors
    /// A file of it cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Complaint> {
        let mut own = Self::default();
        own.take(folder, "")?;
        for name in names(folder) {
            let of_text = folder.join(&name);
            if of_text.join(FINAL_INFO).is_file() {
                own.take(&of_text, &format!("{name}/"))?;
            }
        }
        Ok(own)
    }

    /// Takes what lies in `folder`, with `prefix` in front of its names.
    fn take(&mut self, folder: &Path, prefix: &str) -> Result<(), Complaint> {
        for name in TABLES.iter().flat_map(|table| [format!("{table}.md"), format!("{table}.csv")])
        {
            if folder.join(&name).is_file() {
                let bytes = self.keep(folder, prefix, &name)?;
                let text = String::from_utf8_lossy(bytes).into_owned();
                let table = name.strip_suffix(".md").map(|table| format!("{prefix}{table}"));
                self.tables.extend(table.map(|table| (table, text)));
            }
        }
        if folder.join(TRAININGS).is_file() {
            self.keep(folder, prefix, TRAININGS)?;
        }
        for name in names(&folder.join("plots")) {
            let name = format!("plots/{name}");
            self.keep(folder, prefix, &name)?;
            self.pictures.extend(name.strip_suffix(".png").map(|name| format!("{prefix}{name}")));
        }
        Ok(())
    }

    fn keep(&mut self, folder: &Path, prefix: &str, name: &str) -> Result<&[u8], Complaint> {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|error| damaged(&path, &error))?;
        Ok(self.files.entry(format!("{prefix}{name}")).or_insert(bytes))
    }
}

/// The names in a folder in the order of the alphabet; none where there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
