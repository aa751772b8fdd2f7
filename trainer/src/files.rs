//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process;

/// Writes beside `path` first, so that a file at `path` is whole even if the machine stops.
///
/// # Errors
/// The folder cannot be made or the file not written; a file that was there stays as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().expect("the path of a file");
    // A bare name is a file where the program was started.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().expect("the path of a file").to_os_string();
    name.push(format!(".{}.part", process::id()));
    let part = folder.join(name);
    let written = write_through(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part); // what failed first is what the user should hear of
    }
    written?;
    sync_folder(folder)
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the new name last, where the system can do that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
