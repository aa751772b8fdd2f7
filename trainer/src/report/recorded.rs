//! A finished run, as the files in its folder record it.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use shared::report::{DatasetInfo, FinalInfo, Metric, is_found_again};

use super::own::Own;
use crate::complaint::Complaint;
use crate::run_folder::finished::{damaged, json};
use crate::run_folder::{CONFIG, FINAL_INFO, RunFolder};

/// What a report reads of a run.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The folder's name.
    pub name: String,
    /// What the run wants to know.
    pub question: String,
    /// `final_info.json`.
    pub datasets: FinalInfo,
    /// `metrics.jsonl`.
    pub metrics: Vec<Metric>,
    /// The tables of combinations.
    pub combinations: Vec<Counted>,
    /// Tables and pictures that it has made itself.
    pub own: Own,
}

/// How many combinations an autoencoder has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The autoencoder.
    pub autoencoder: String,
    /// How many of two, three and four features.
    pub sizes: [usize; 3],
    /// How many of them are found again in four of five trainings, where there is more than one.
    pub found_again: Option<usize>,
}

impl Recorded {
    /// Reads the folder of a finished run.
    ///
    /// # Errors
    /// It is none, or a file of it is damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        if !RunFolder::is_finished(folder) {
            return Err(unfinished(folder).into());
        }
        let whole = folder.canonicalize()?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let config: Value = json(&folder.join(CONFIG))?;
        Ok(Self {
            name,
            question: config["question"].as_str().unwrap_or_default().to_string(),
            datasets: json(&folder.join(FINAL_INFO))?,
            metrics: metrics(&folder.join("metrics.jsonl"))?,
            combinations: combinations(&folder.join("combinations"))?,
            own: Own::read(folder)?,
        })
    }

    /// The results by data set.
    pub fn results(&self) -> impl Iterator<Item = Of<'_>> {
        self.datasets.iter().map(|(dataset, info)| Of { run: &self.name, dataset, info })
    }
}

/// The results of a run on one data set.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The run.
    pub run: &'a str,
    /// The data set.
    pub dataset: &'a str,
    /// What was measured.
    pub info: &'a DatasetInfo,
}

impl<'a> Of<'a> {
    /// A mean over seeds by its name without `_mean`.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.info.means.get(&format!("{name}_mean")).copied()
    }

    /// Its standard error; none of a single seed.
    pub fn stderr(&self, name: &str) -> Option<f64> {
        self.info.stderrs.get(&format!("{name}_stderr")).copied()
    }

    /// What each seed gave.
    pub fn values(&self, name: &str) -> Vec<f64> {
        let list = self.info.final_info_dict.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_f64).collect()
    }

    /// What each seed gave, by seed: a seed whose training diverged is missing.
    pub fn by_seed(&self, method: &str, measure: &str) -> Vec<(u64, f64)> {
        let values = self.values(&format!("{method}_{measure}"));
        let entry = self.entries().find(|entry| entry["name"] == method);
        let seeds = entry.and_then(|entry| entry["seeds"].as_array());
        match seeds {
            Some(seeds) => seeds.iter().filter_map(Value::as_u64).zip(values).collect(),
            None => (0..).zip(values).collect(),
        }
    }

    /// Every method at every number of active features, the one that leaves most unexplained first: its
    /// name, its setting, how many features it was asked to activate if that is recorded.
    pub fn all_methods(&self) -> Vec<(&'a str, &'a str, Option<f64>)> {
        let own = || {
            let methods = self.methods().into_iter();
            methods.map(|name| (name, self.word(&format!("{name}_setting")), None)).collect()
        };
        let mut all: Vec<(&str, &str, Option<f64>)> = self
            .entries()
            .filter_map(|entry| {
                let k = entry["sparsity_k"].as_f64();
                Some((entry["name"].as_str()?, entry["setting"].as_str()?, k))
            })
            .collect();
        let left = |name: &str| self.mean(&format!("{name}_fvu")).unwrap_or(f64::INFINITY);
        all.sort_by(|one, other| left(other.0).total_cmp(&left(one.0)));
        if all.is_empty() { own() } else { all }
    }

    fn entries(&self) -> impl Iterator<Item = &'a Value> {
        let list = self.info.final_info_dict.get("methods").and_then(Value::as_array);
        list.into_iter().flatten()
    }

    /// What else is said of the results, as in `profile`.
    pub fn word(&self, name: &str) -> &'a str {
        self.info.final_info_dict.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The methods that were compared at the profile's own number of active features, the one that leaves most unexplained first.
    pub fn methods(&self) -> Vec<&'a str> {
        let settings = self.info.final_info_dict.keys();
        let mut names: Vec<&str> =
            settings.filter_map(|key| key.strip_suffix("_setting")).collect();
        let left = |name: &str| self.mean(&format!("{name}_fvu")).unwrap_or(f64::INFINITY);
        names.sort_by(|one, other| left(other).total_cmp(&left(one)));
        names
    }

    /// What must be the same where language models are compared: text, profile, device.
    pub fn conditions(&self) -> [&'a str; 4] {
        [self.dataset, self.word("data_sha256"), self.word("profile"), self.word("device")]
    }

    /// What must be the same where autoencoders are compared.
    pub fn learned(&self) -> Learned<'a> {
        let number = |name: &str| self.info.final_info_dict.get(name).and_then(Value::as_u64);
        Learned {
            of: self.conditions(),
            layer: number("layer"),
            rows: number("train_rows"),
            held_out_rows: number("held_out_rows"),
            sparsity_k: number("sparsity_k"),
            steps: self.mean("autoencoder_steps").map(|steps| steps as u64),
            made_by: self.word("made_by"),
        }
    }
}

/// From what autoencoders learned, as far as a run says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Learned<'a> {
    /// [`Of::conditions`].
    pub of: [&'a str; 4],
    /// After which block.
    pub layer: Option<u64>,
    /// From how many rows.
    pub rows: Option<u64>,
    /// On how many they are measured.
    pub held_out_rows: Option<u64>,
    /// With how many active features.
    pub sparsity_k: Option<u64>,
    /// In how many steps.
    pub steps: Option<u64>,
    /// By which csae, whose recipes change.
    pub made_by: &'a str,
}

impl Display for Learned<'_> {
    fn fmt(&self, text: &mut Formatter) -> fmt::Result {
        let [dataset, _, profile, device] = self.of;
        write!(text, "{dataset}, profile {profile}, {device}")?;
        let numbers = [
            ("block", self.layer),
            ("rows", self.rows),
            ("held-out rows", self.held_out_rows),
            ("k", self.sparsity_k),
            ("steps", self.steps),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                write!(text, ", {name} {number}")?;
            }
        }
        match self.made_by {
            "" => Ok(()),
            made_by => write!(text, ", {made_by}"),
        }
    }
}

fn unfinished(folder: &Path) -> Complaint {
    let (what, fix) = match (folder.is_dir(), folder.join(CONFIG).is_file()) {
        (false, _) => ("there is no such folder", "name the folder of a finished run".to_string()),
        (true, true) => {
            let command = format!("finish it first: trainer --out_dir={}", folder.display());
            ("the run in it is not finished", command)
        }
        (true, false) => ("it is not the folder of a run", "name the folder of a run".to_string()),
    };
    Complaint::usage(format!("no report of {}: {what}", folder.display()))
        .detail("looked for", folder.join(FINAL_INFO).display())
        .fix(fix)
}

fn metrics(path: &Path) -> Result<Vec<Metric>> {
    let text = fs::read_to_string(path).map_err(|error| damaged(path, &error))?;
    let line = |line: &str| serde_json::from_str(line).map_err(|error| damaged(path, &error));
    Ok(text.lines().map(line).collect::<Result<_, Complaint>>()?)
}

/// The counts in all tables of combinations; a run without combinations has none.
fn combinations(folder: &Path) -> Result<Vec<Counted>> {
    let mut counted = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(autoencoder) = name.strip_suffix(".csv") else { continue };
        let text = fs::read_to_string(&path).map_err(|error| damaged(&path, &error))?;
        counted.extend(count(autoencoder, &text));
    }
    counted.sort_by(|one, other| one.autoencoder.cmp(&other.autoencoder));
    Ok(counted)
}

/// What a table says of its combinations; `None` for a table of something else.
fn count(autoencoder: &str, text: &str) -> Option<Counted> {
    let records = records(text);
    let (header, rows) = records.split_first()?;
    let column = |name: &str| header.iter().position(|field| field == name);
    let places = [column("size")?, column("seeds_found")?, column("seeds")?];
    let mut counted = Counted { autoencoder: autoencoder.into(), ..Counted::default() };
    let mut again = (0, 0);
    for row in rows {
        let number = |place: usize| row.get(place).and_then(|field| field.parse().ok());
        let [size, found, of]: [usize; 3] = places.map(|place| number(place).unwrap_or(0));
        if let Some(place) = size.checked_sub(2).filter(|place| *place < 3) {
            counted.sizes[place] += 1;
        }
        again.0 += usize::from(is_found_again([found, of]));
        again.1 = again.1.max(of);
    }
    counted.found_again = (again.1 > 1).then_some(again.0);
    Some(counted)
}

/// The fields of a CSV text, record by record; a field in quotes may hold commas and line ends.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (vec![], vec![], String::new());
    let mut quoted = false;
    for character in text.chars() {
        match character {
            // A quote that is doubled ends and begins again: what is between stays the same.
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            _ => field.push(character),
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_counted_by_size_and_by_whether_they_are_found_again() {
        let text = "parts,size,seeds_found,seeds,raises\n1 2,2,4,5,\"a,\n\"\n1 3,2,1,5,b\n\
                    1 2 3,3,5,5,\"\"\"\"\n";

        let counted = count("units", text).unwrap();

        assert_eq!((counted.sizes, counted.found_again), ([2, 1, 0], Some(2)));
        let single = "size,seeds_found,seeds\n4,1,1\n";
        assert_eq!(count("units", single).unwrap().found_again, None);
        assert!(count("units_in_lm", "pair,share\n1 2,0.5\n").is_none());
    }

    #[test]
    fn seeds_keep_their_names_and_other_numbers_of_features_are_no_methods_of_their_own() {
        let mut info = DatasetInfo::default();
        info.add("topk_fvu", &[0.2, 0.4]);
        info.add("topk_k8_fvu", &[0.5]);
        let entry = |name: &str, k: usize, seeds: &[u64]| serde_json::json!({ "name": name, "setting": "s", "sparsity_k": k, "seeds": seeds });
        let methods = [entry("topk", 32, &[0, 2]), entry("topk_k8", 8, &[0])];
        info.final_info_dict.insert("methods".into(), methods.into());
        info.final_info_dict.insert("topk_setting".into(), "s".into());

        let of = Of { run: "run_5", dataset: "t", info: &info };

        assert_eq!(of.by_seed("topk", "fvu"), [(0, 0.2), (2, 0.4)]);
        assert_eq!(of.methods(), ["topk"]);
        assert_eq!(of.all_methods(), [("topk_k8", "s", Some(8.0)), ("topk", "s", Some(32.0))]);
    }

    #[test]
    fn methods_are_those_with_a_setting_in_the_order_of_what_they_leave() {
        let mut info = DatasetInfo::default();
        for (name, fvu) in [("topk", [0.02, 0.04]), ("pca", [0.3, 0.3])] {
            info.add(&format!("{name}_fvu"), &fvu);
            info.final_info_dict.insert(format!("{name}_setting"), "k".into());
        }

        let of = Of { run: "run_0", dataset: "t", info: &info };

        assert_eq!(of.methods(), ["pca", "topk"]);
        assert_eq!(of.values("topk_fvu"), [0.02, 0.04]);
        assert_eq!((of.mean("topk_fvu"), of.stderr("x")), (Some(0.03), None));
        assert_eq!(of.word("topk_setting"), "k");
    }
}
