//! Where the key must not be, and what must not be written over.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf, absolute};

use shared::site::MANIFEST;

use crate::complaint::Complaint;

/// Refuses a place for the key that is in `out`, which is deployed, in a site's data or in a built
/// site.
pub(super) fn refuse_deployed(key: &Path, out: &Path) -> Result<(), Complaint> {
    let (key_whole, out) = (resolved(key), resolved(out));
    let folder = key_whole.parent().unwrap_or(&key_whole);
    let is_deployed = |folder: &Path| {
        folder == out
            || folder.join(MANIFEST).is_file()
            || folder.join("data").join(MANIFEST).is_file() && folder.join("index.html").is_file()
            || folder.ends_with("site/data")
    };
    match folder.ancestors().find(|folder| is_deployed(folder)) {
        None => Ok(()),
        Some(deployed) => {
            let what = format!("the key would be deployed with {}", deployed.display());
            Err(Complaint::usage(what)
                .detail("key", key.display())
                .fix("choose a --key outside of the site, or leave it to the run's folder"))
        }
    }
}

/// Refuses to put `bytes` where a file says something else: with another key, the answers to a study
/// could not be merged any more.
pub(super) fn refuse_replacing(path: &Path, bytes: &[u8]) -> Result<(), Complaint> {
    let what = match std::fs::read(path) {
        Ok(found) if found == bytes => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(_) => format!("{} is there already and says something else", path.display()),
        Err(error) => format!("cannot read what is at {}: {error}", path.display()),
    };
    Err(Complaint::usage(what)
        .fix("choose another --name; or remove the study and its key, if nobody has answered it"))
}

/// The path with every link and `..` followed, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let whole = absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut known = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                known.pop();
            }
            part => known.push(part),
        }
        if let Ok(real) = known.canonicalize() {
            known = real;
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_may_be_written_again() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("pilot.json");
        let check = |path: &Path| refuse_replacing(path, b"{}\n");

        assert!(check(&file).is_ok());
        std::fs::write(&file, "{}\n").unwrap();
        assert!(check(&file).is_ok());
        std::fs::write(&file, "{}").unwrap();
        for path in [file.as_path(), root.path()] {
            assert_eq!(check(path).unwrap_err().code(), 2, "{}", path.display());
        }
    }

    #[test]
    fn a_key_is_never_put_beside_what_is_deployed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["site/data/study", "other/study", "dist/data", "run_3"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["other/manifest.json", "dist/data/manifest.json", "dist/index.html"] {
            std::fs::write(at(name), "{}").unwrap();
        }
        let check = |key: &str| refuse_deployed(&at(key), &at("site/data/study"));

        assert!(check("run_3/study_key/pilot.json").is_ok());
        assert!(check("key.json").is_ok());
        for key in [
            "site/data/study/key.json",
            "site/data/study/deep/key.json",
            "site/data/key.json",
            "run_3/../site/data/study/key.json",
            "other/study/key.json",
            "dist/key.json",
        ] {
            let error = check(key).unwrap_err();
            assert!(error.code() == 2 && error.to_string().contains("would be deployed"), "{key}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("site/data"), at("run_3/link")).unwrap();
            assert!(check("run_3/link/key.json").is_err());
        }
    }
}
