//! How numbers and characters are written.

/// A character so that it can be seen.
pub fn visible(character: char) -> String {
    match character {
        '\n' => "⏎".into(),
        ' ' => "␣".into(),
        '\t' => "⇥".into(),
        '\r' => "␍".into(),
        control if control.is_control() => control.escape_unicode().to_string(),
        plain => plain.to_string(),
    }
}

/// A text on one line: what would break it becomes a sign, spaces stay.
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            ' ' => " ".to_string(),
            other => visible(other),
        })
        .collect()
}

/// An amount that is added, with its sign.
pub fn signed(value: f64) -> String {
    format!("{value:+.3}").replace('-', "−")
}

/// A number with three significant digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let written = match size {
        0.0 => "0".into(),
        _ if !value.is_finite() => "–".into(),
        _ if size >= 100.0 => thousands(value.round() as i64),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ if size >= 0.1 => format!("{value:.3}"),
        _ if size >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.1e}"),
    };
    written.replace('-', "−")
}

/// A whole number in groups of three digits.
pub fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0 { format!("−{grouped}") } else { grouped }
}

/// A share as per cent.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        small if small.abs() < 10.0 => format!("{small:.2} %"),
        middle if middle.abs() < 99.95 => format!("{middle:.1} %"),
        large => format!("{large:.0} %"),
    }
}

/// Which of nine steps of emphasis a value has between 0 and `most`; 0 is none.
pub fn level(value: f32, most: f32) -> u8 {
    match value > 0.0 && most > 0.0 {
        true => (value / most * 8.0).ceil().clamp(1.0, 8.0) as u8,
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let written = [0.0, 0.000_123_4, 0.012_345, 0.56, 4.2, 56.78, 1_234.5].map(number);

        assert_eq!(written, ["0", "1.2e−4", "0.0123", "0.560", "4.20", "56.8", "1,235"]);
        assert_eq!((number(f64::NAN), number(-0.432)), ("–".into(), "−0.432".into()));
        assert_eq!([0.25, -0.1].map(signed), ["+0.250", "−0.100"]);
        assert_eq!((thousands(1_234_567), thousands(-12)), ("1,234,567".into(), "−12".into()));
        assert_eq!([0.0, 0.0005, 0.123, 1.0].map(percent), ["0 %", "0.05 %", "12.3 %", "100 %"]);
    }

    #[test]
    fn every_character_can_be_seen() {
        assert_eq!(one_line("a b\nc\u{0}"), "a b⏎c\\u{0}");
    }

    #[test]
    fn emphasis_has_nine_steps() {
        assert_eq!([0.0, 0.01, 1.0, 2.0, 9.0].map(|value| level(value, 2.0)), [0, 1, 4, 8, 8]);
        assert_eq!(level(1.0, 0.0), 0);
    }
}
