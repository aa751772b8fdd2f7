//! Files that are whole or not there, and reading them at any place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Writes beside `path` first, so that a file at `path` is whole even if the machine stops.
///
/// # Errors
/// The folder cannot be made or the file not written; a file that was there stays as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = GrowingFile::begin(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// A file that is written bit by bit, beside its place, and stands there only when it is whole. One
/// that is not finished is removed.
#[derive(Debug)]
pub struct GrowingFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl GrowingFile {
    /// Begins the file that is to stand at `path`.
    ///
    /// # Errors
    /// The folder cannot be made, or no file in it.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        fs::create_dir_all(folder)?;
        let mut name = path.file_name().expect("the path of a file").to_os_string();
        name.push(format!(".{}.part", process::id()));
        let part = folder.join(name);
        let file = File::create(&part)?;
        Ok(Self { path: path.into(), part, file })
    }

    /// Puts the file at its place; what was there stays as it was if that fails.
    ///
    /// # Errors
    /// The disk does not take all of it.
    pub fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        sync_folder(folder_of(&self.path))
    }
}

impl Write for GrowingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for GrowingFile {
    fn drop(&mut self) {
        // A finished file is no longer there; what failed first is what the user should hear of.
        let _ = fs::remove_file(&self.part);
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().expect("the path of a file");
    // A bare name is a file where the program was started.
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Makes the new name last, where the system can do that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A file that several threads read, each where it wants to.
#[derive(Debug)]
pub struct PlacedFile {
    file: File,
    /// Where the system has one place for all readers of a file, they take turns.
    #[cfg(any(not(unix), test))]
    turn: std::sync::Mutex<()>,
}

impl PlacedFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// There is none, or it may not be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            #[cfg(any(not(unix), test))]
            turn: std::sync::Mutex::default(),
        })
    }

    /// How many bytes the file has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Fills `bytes` with those from `offset` on.
    ///
    /// # Errors
    /// The file ends before, or cannot be read.
    pub fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, offset);
        #[cfg(not(unix))]
        return self.read_in_turn(bytes, offset);
    }

    #[cfg(any(not(unix), test))]
    fn read_in_turn(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};

        let _turn = self.turn.lock().map_err(|error| io::Error::other(error.to_string()))?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/rows");
        let names = || fs::read_dir(folder.path().join("deep")).unwrap().count();

        let mut file = GrowingFile::begin(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists() && names() == 1);
        drop(file);
        assert_eq!(names(), 0);

        write_whole(&path, b"first").unwrap();
        GrowingFile::begin(&path).unwrap().write_all(b"half").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names()), (b"first".to_vec(), 1));
    }

    #[test]
    fn a_file_is_read_anywhere_and_never_beyond_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digits");
        write_whole(&path, b"0123456789").unwrap();
        let file = PlacedFile::open(&path).unwrap();

        for read in [PlacedFile::read, PlacedFile::read_in_turn] {
            let mut bytes = [0; 3];
            read(&file, &mut bytes, 6).unwrap();
            assert_eq!(&bytes, b"678");
            read(&file, &mut bytes, 0).unwrap();
            assert_eq!(&bytes, b"012");
            let error = read(&file, &mut bytes, 8).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        assert_eq!(file.length().unwrap(), 10);
    }
}
