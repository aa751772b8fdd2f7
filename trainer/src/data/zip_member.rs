//! One file out of a zip archive, unpacked while it is read: stored or deflated, below 4 GB (PKWARE's
//! APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::DeflateDecoder;

/// The length of what ends an archive, without its comment.
const END: u64 = 22;
/// The length of what the directory says of a file, without its name.
const ENTRY: usize = 46;
/// The length of what stands before a file, without its name.
const LOCAL: u64 = 30;

/// What the directory says of a file.
struct Entry {
    method: u16,
    packed: u64,
    /// Where what stands before the file begins.
    at: u64,
}

/// Opens the file called `name` in the archive at `path`.
///
/// # Errors
/// The archive cannot be read, is none, or has no such file; unpacking may still fail later.
pub fn open(path: &Path, name: &str) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let entry = find(&directory(&mut file)?, name)?;
    let mut local = [0; LOCAL as usize];
    file.seek(SeekFrom::Start(entry.at))?;
    file.read_exact(&mut local)?;
    if !local.starts_with(b"PK\x03\x04") {
        return Err(damaged("its directory points at no file"));
    }
    let names = u64::from(half(&local, 26)) + u64::from(half(&local, 28));
    file.seek(SeekFrom::Start(entry.at + LOCAL + names))?;
    let packed = BufReader::new(file).take(entry.packed);
    match entry.method {
        0 => Ok(Box::new(packed)),
        8 => Ok(Box::new(DeflateDecoder::new(packed))),
        other => Err(damaged(&format!("{name} is packed by method {other}, not by deflate"))),
    }
}

/// The bytes of the directory.
fn directory(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let tail = length.min(END + u64::from(u16::MAX));
    file.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = vec![];
    file.read_to_end(&mut bytes)?;
    let end = bytes.windows(END as usize).rposition(|window| window.starts_with(b"PK\x05\x06"));
    let end = end.ok_or_else(|| damaged("it is no zip archive, or only a part of one"))?;
    let (size, start) = (word(&bytes, end + 12), word(&bytes, end + 16));
    if start + size > length {
        return Err(damaged("its directory is not inside it"));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut directory = vec![0; size as usize];
    file.read_exact(&mut directory)?;
    Ok(directory)
}

fn find(directory: &[u8], name: &str) -> io::Result<Entry> {
    let mut rest = directory;
    while rest.len() >= ENTRY && rest.starts_with(b"PK\x01\x02") {
        let lengths = [28, 30, 32].map(|place| usize::from(half(rest, place)));
        let whole = ENTRY + lengths.iter().sum::<usize>();
        if rest.len() < whole {
            break;
        }
        if &rest[ENTRY..ENTRY + lengths[0]] == name.as_bytes() {
            let (method, packed, at) = (half(rest, 10), word(rest, 20), word(rest, 42));
            return Ok(Entry { method, packed, at });
        }
        rest = &rest[whole..];
    }
    Err(damaged(&format!("it has no file called {name}")))
}

fn half(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes([bytes[place], bytes[place + 1]])
}

fn word(bytes: &[u8], place: usize) -> u64 {
    u64::from(half(bytes, place)) | u64::from(half(bytes, place + 2)) << 16
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    /// An archive of one file, deflated or stored, with a comment at its end.
    pub fn archive(name: &str, content: &[u8], deflated: bool) -> Vec<u8> {
        let packed = match deflated {
            false => content.to_vec(),
            true => {
                let mut encoder = DeflateEncoder::new(vec![], Compression::default());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
        };
        let mut sums = flate2::Crc::new();
        sums.update(content);
        let mut told = vec![20, 0, 0, 0]; // version, flags
        told.extend(if deflated { 8_u16 } else { 0 }.to_le_bytes());
        told.extend([0; 4]); // time, date
        told.extend(sums.sum().to_le_bytes());
        told.extend((packed.len() as u32).to_le_bytes());
        told.extend((content.len() as u32).to_le_bytes());
        told.extend((name.len() as u16).to_le_bytes());
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend(&told);
        bytes.extend(3_u16.to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(b"xyz"); // a field that only stands here
        bytes.extend(&packed);
        let directory = bytes.len() as u32;
        bytes.extend(b"PK\x01\x02\x14\x00");
        bytes.extend(&told);
        bytes.extend([0; 16]); // no fields, no comment, disk 0, attributes, at 0
        bytes.extend(name.as_bytes());
        let size = bytes.len() as u32 - directory;
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
        bytes.extend(size.to_le_bytes());
        bytes.extend(directory.to_le_bytes());
        bytes.extend(b"\x04\x00note");
        bytes
    }

    fn read(bytes: &[u8], name: &str) -> io::Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        std::fs::write(&path, bytes).unwrap();
        let mut content = vec![];
        open(&path, name)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn a_file_comes_out_as_it_went_in() {
        let content = b"anarchism originated as a term of abuse ".repeat(500);

        for deflated in [false, true] {
            let bytes = archive("text8", &content, deflated);
            assert_eq!(read(&bytes, "text8").unwrap(), content);
        }
        assert!(archive("text8", &content, true).len() < content.len() / 10);
    }

    #[test]
    fn other_names_other_files_and_damaged_archives_are_errors() {
        let bytes = archive("text8", &b"anarchism ".repeat(500), true);
        let error = |bytes: &[u8], name: &str| read(bytes, name).unwrap_err().to_string();

        assert_eq!(error(&bytes, "enwik8"), "it has no file called enwik8");
        assert!(error(b"<html>not found</html>", "text8").contains("no zip archive"));
        assert!(error(&bytes[..bytes.len() - 20], "text8").contains("only a part"));
        assert!(read(&bytes[10..], "text8").is_err());
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x41;
            let _ = read(&flipped, "text8"); // whatever it says, it does not panic
        }
    }
}
