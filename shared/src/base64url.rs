//! Bytes as letters that addresses and mails leave alone: base64url without padding (RFC 4648,
//! section 5).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters for `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            let digit = bits >> (18 - 6 * place) & 63;
            encoded.push(char::from(DIGITS[digit as usize]));
        }
    }
    encoded
}

/// The bytes that [`encode`] encoded; `None` if these letters are no one's writing.
pub fn decode(encoded: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![];
    for group in encoded.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let value = DIGITS.iter().position(|known| known == digit)?;
            bits = bits << 6 | value as u32;
        }
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend_from_slice(bits.to_be_bytes().get(1..group.len())?);
    }
    // Digits whose last bits are not 0 are refused, too.
    (encode(&bytes) == encoded).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_come_back() {
        let bytes: Vec<u8> = (0..=255).rev().collect();
        for length in 0..bytes.len() {
            assert_eq!(decode(&encode(&bytes[..length])).as_deref(), Some(&bytes[..length]));
        }
        assert_eq!(encode(b"\xfb\xff"), "-_8");
    }

    #[test]
    fn other_letters_are_refused() {
        for text in ["a", "a+", "ab=", "-_9", "äb"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
