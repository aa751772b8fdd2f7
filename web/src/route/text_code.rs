//! Texts inside addresses: percent signs for what has a meaning there, base64url for own text.

use shared::base64url;

/// `text` with `%41` for every byte that is not plain.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

/// The text that [`escape`] escaped. What is no escape stays as it is.
pub(super) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escape = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], escape) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                at += 3;
            }
            (byte, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// `text` in base64url.
pub(super) fn encode_text(text: &str) -> String {
    base64url::encode(text.as_bytes())
}

/// The text that [`encode_text`] encoded; `None` if it is none.
pub(super) fn decode_text(encoded: &str) -> Option<String> {
    String::from_utf8(base64url::decode(encoded)?).ok()
}
