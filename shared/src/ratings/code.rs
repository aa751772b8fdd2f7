//! A session as letters that survive a mail or a text box: deflate, a checksum, base64url.
//!
//! ```text
//! -----BEGIN CSAE-----
//! Xw3l..
//! -----END CSAE-----
//! ```

use miniz_oxide::{deflate, inflate};

use super::LONGEST_FILE;
use crate::base64url;

const BEGIN: &str = "-----BEGIN CSAE-----";
const END: &str = "-----END CSAE-----";
/// How long a line is.
const WIDTH: usize = 64;

/// Why a text is no code, or a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    /// A mark is missing: the paste was cut.
    #[error("the code was cut: it must begin with {BEGIN} and end with {END}")]
    Cut,
    /// There is a second one, whose session would be lost.
    #[error("there are two codes: put each into a file of its own")]
    Two,
    /// Letters were lost or changed.
    #[error("the code is damaged: its checksum is another")]
    Damaged,
}

/// Whether a text has a code in it.
pub fn is_code(text: &str) -> bool {
    text.contains(BEGIN) || text.contains(END)
}

/// The code of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut packed = checksum(bytes).to_be_bytes().to_vec();
    packed.extend(deflate::compress_to_vec(bytes, 9));
    let letters = base64url::encode(&packed);
    let lines = letters.as_bytes().chunks(WIDTH).map(String::from_utf8_lossy);
    let mut code = format!("{BEGIN}\n");
    lines.for_each(|line| code += &format!("{line}\n"));
    code + END + "\n"
}

/// The bytes of the code in `text`; what stands around it, and white space within, is let be.
///
/// # Errors
/// The code was cut or changed, or there is a second one.
pub fn decode(text: &str) -> Result<Vec<u8>, BadCode> {
    let (_, rest) = text.split_once(BEGIN).ok_or(BadCode::Cut)?;
    if rest.contains(BEGIN) {
        return Err(BadCode::Two);
    }
    let (letters, _) = rest.split_once(END).ok_or(BadCode::Cut)?;
    let is_letter = |character: &char| !character.is_whitespace() && *character != '>';
    let letters: String = letters.chars().filter(is_letter).collect();
    let packed = base64url::decode(&letters).ok_or(BadCode::Damaged)?;
    let (sum, deflated) = packed.split_first_chunk::<4>().ok_or(BadCode::Damaged)?;
    let bytes = inflate::decompress_to_vec_with_limit(deflated, LONGEST_FILE)
        .map_err(|_| BadCode::Damaged)?;
    match checksum(&bytes) == u32::from_be_bytes(*sum) {
        true => Ok(bytes),
        false => Err(BadCode::Damaged),
    }
}

/// CRC-32 as in zip and PNG (ISO 3309, reflected polynomial 0xEDB88320).
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_comes_back_through_a_mail() {
        let bytes = "{\"kind\":\"answer\"}\n".repeat(28);

        let code = encode(bytes.as_bytes());

        let mail = format!("Hello,\r\n> {}\r\nBye", code.replace('\n', "\r\n> "));
        assert_eq!(decode(&mail), Ok(bytes.into_bytes()));
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_cut_or_changed_code_is_refused() {
        let bytes: Vec<u8> = (0..200).collect();
        let code = encode(&bytes);

        assert_eq!(decode(&code[..code.len() - 9]), Err(BadCode::Cut));
        assert_eq!(decode("nothing"), Err(BadCode::Cut));
        assert_eq!(decode(&code.repeat(2)), Err(BadCode::Two));
        for place in BEGIN.len() + 1..code.len() - END.len() - 2 {
            let mut letters = code.clone().into_bytes();
            letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(letters).unwrap();
            // A bit that fills up a byte says nothing; no change makes other bytes.
            let decoded = decode(&changed);
            assert!(decoded == Err(BadCode::Damaged) || decoded == Ok(bytes.clone()), "{place}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = encode(&vec![0; 10 * LONGEST_FILE]);

        assert_eq!(decode(&bomb), Err(BadCode::Damaged));
    }
}
