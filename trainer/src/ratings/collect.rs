//! Files of raters: strict about each line, lenient about the folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use shared::ratings::{LONGEST_FILE, Session, code};

use super::Keyed;
use crate::complaint::Complaint;
use crate::study::GOLD;

/// Longer than this, letters are none that the page has made.
const LONGEST_READ: u64 = 2 * LONGEST_FILE as u64;

/// A rater with a name that says nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rater {
    /// As in `R01`.
    pub name: String,
    /// What was said.
    pub session: Session,
    /// Why the answers are left out by the study's own rules.
    pub excluded: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected {
    /// How many files were looked at.
    pub files: usize,
    /// The raters, in the order of their ids.
    pub raters: Vec<Rater>,
    /// How many files are not of this study, or damaged.
    pub refused: usize,
    /// How many were passed over for another one of the same rater.
    pub passed_over: usize,
    /// What is told of files and raters. Files have the raters' ids in their names, so it is for the
    /// eyes of whoever has the files.
    pub told: Vec<String>,
}

/// Reads all files.
///
/// # Errors
/// A file or folder that was named is not there.
pub(super) fn collect(places: &[PathBuf], keyed: &Keyed) -> Result<Collected> {
    let mut files = vec![];
    for place in places {
        list(place, &mut files).map_err(|error| {
            Complaint::usage(format!("cannot read {}: {error}", place.display()))
                .fix("name files of raters, or folders of them")
        })?;
    }
    let mut collected = Collected { files: files.len(), ..Collected::default() };
    let sessions = collected.one_of_each_rater(files, keyed);
    for (number, (path, session)) in sessions.into_values().enumerate() {
        collected.add(number + 1, &path, session, keyed);
    }
    Ok(collected)
}

impl Collected {
    /// The last session of each rater, in files that can be read.
    fn one_of_each_rater(
        &mut self,
        files: Vec<PathBuf>,
        keyed: &Keyed,
    ) -> BTreeMap<String, (PathBuf, Session)> {
        let mut sessions: BTreeMap<String, (PathBuf, Session)> = BTreeMap::new();
        for path in files {
            let session = match read(&path, keyed) {
                Ok(session) => session,
                Err(reason) => {
                    self.refused += 1;
                    self.told.push(format!("refused: {}: {reason}", path.display()));
                    continue;
                }
            };
            let rater = session.header.rater.clone();
            let kept = match sessions.remove(&rater) {
                None => (path, session),
                Some(other) => self.later((path, session), other),
            };
            sessions.insert(rater, kept);
        }
        sessions
    }

    /// Of two sessions of a rater the later one; says so unless they are the same.
    fn later(&mut self, one: (PathBuf, Session), other: (PathBuf, Session)) -> (PathBuf, Session) {
        let (kept, passed) = later(one, other);
        if kept.1 != passed.1 {
            self.passed_over += 1;
            let (kept, passed) = (kept.0.display(), passed.0.display());
            self.told.push(format!("passed over: {passed}: {kept} is of the same rater"));
        }
        kept
    }

    fn add(&mut self, number: usize, path: &Path, session: Session, keyed: &Keyed) {
        let name = format!("R{number:02}");
        if !session.is_complete() {
            let count = session.answers.len();
            let told = format!("not finished: {}: {name} gave {count} answers", path.display());
            self.told.push(told);
        }
        let excluded = exclusion(&session, keyed);
        if let Some(reason) = &excluded {
            self.told.push(format!("excluded by the study's rules: {name}: {reason}"));
        }
        self.raters.push(Rater { name, session, excluded });
    }
}

/// All files in a folder, folders in it included, by name; a file itself. What cannot be looked into
/// is among them, so that it is refused by its name.
fn list(place: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !fs::metadata(place)?.is_dir() {
        files.push(place.to_path_buf());
        return Ok(());
    }
    let entries: std::io::Result<Vec<PathBuf>> =
        fs::read_dir(place)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    entries.sort();
    for entry in entries {
        // A link to a folder may lead back to where it is.
        if entry.is_symlink() || list(&entry, files).is_err() {
            files.push(entry);
        }
    }
    Ok(())
}

fn read(path: &Path, keyed: &Keyed) -> Result<Session, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".into());
    }
    if metadata.len() > LONGEST_READ {
        return Err(format!("line 1: the file has more than {LONGEST_READ} bytes"));
    }
    let mut bytes = fs::read(path).map_err(|error| error.to_string())?;
    // A mail around the letters may be in any encoding.
    let text = String::from_utf8_lossy(&bytes);
    if code::is_code(&text) {
        bytes = code::decode(&text).map_err(|error| error.to_string())?;
    }
    let session = Session::read(&bytes).map_err(|error| error.to_string())?;
    session.check(&keyed.study, &keyed.sha256).map_err(|error| error.to_string())?;
    Ok(session)
}

type Found = (PathBuf, Session);

/// Of two sessions of a rater the one that counts, then the other: complete before not, more answers
/// before fewer, then the later name.
fn later(one: Found, other: Found) -> (Found, Found) {
    let rank =
        |(path, session): &Found| (session.is_complete(), session.answers.len(), path.clone());
    if rank(&one) > rank(&other) { (one, other) } else { (other, one) }
}

/// Why the study's rules leave the session out.
fn exclusion(session: &Session, keyed: &Keyed) -> Option<String> {
    let rules = keyed.study.exclusions;
    let failed = session.answers.iter().filter(|answer| {
        let key = &keyed.key.items[&answer.item];
        key.condition == GOLD && key.intruder != answer.intruder
    });
    let failed = failed.count();
    if rules.failed_checks > 0 && failed >= rules.failed_checks {
        return Some(format!("failed {failed} of the plain items"));
    }
    let median = median(session.answers.iter().map(|answer| answer.seconds).collect())?;
    (median < rules.median_seconds).then(|| format!("needed {median:.1} s for an item"))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = *values.get(half)?;
    let lower = if values.len().is_multiple_of(2) { values[half - 1] } else { upper };
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![4.0, 1.0, 9.0]), Some(4.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }
}
