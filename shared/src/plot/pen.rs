//! The elements of a drawing: colours, paths, texts. Knows no chart.

/// The name of a colour in style sheets (`--plot-ink`), its light and its dark value.
pub(super) type Colour = (&'static str, &'static str, &'static str);

pub(super) const GROUND: Colour = ("ground", "#ffffff", "#16181d");
pub(super) const INK: Colour = ("ink", "#1f2328", "#e6e8eb");
pub(super) const MUTED: Colour = ("muted", "#4d5761", "#a3adb8");
pub(super) const GRID: Colour = ("grid", "#e3e6ea", "#2d3239");

/// Okabe and Ito's colours, which every kind of colour blindness tells apart.
pub(super) const SERIES: [Colour; 6] = [
    ("1", "#0072b2", "#3b9bd8"),
    ("2", "#d55e00", "#e8772a"),
    ("3", "#009e73", "#1fb88c"),
    ("4", "#cc79a7", "#d98cb6"),
    ("5", "#e69f00", "#e69f00"),
    ("6", "#56b4e9", "#8fd0f5"),
];

/// The colours' rules, behind `@media`: resvg skips it and printers leave it out, so that both
/// draw the light colours. `:root` is the drawing only where it is a file of its own.
pub(super) fn style_sheet() -> String {
    let rule = |(name, light, dark): Colour| {
        format!(
            "@media screen{{.plot-{name}{{color:var(--plot-{name},{light})}}}}\n\
             @media (prefers-color-scheme:dark){{svg.plot:root{{--plot-{name}:{dark}}}}}\n"
        )
    };
    [GROUND, INK, MUTED, GRID].into_iter().chain(SERIES).map(rule).collect()
}

/// `content` in a colour that a style sheet may change, with further attributes.
pub(super) fn paint((name, light, _): Colour, attributes: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!(
        "<g class=\"plot-{name}\" color=\"{light}\" fill=\"currentColor\"{attributes}>\
         {content}</g>\n"
    )
}

/// The line along `path`; `dash` is `none` or the lengths of dashes and gaps.
pub(super) fn stroke(path: &str, width: f64, dash: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    format!(
        "<path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"{width}\" \
         stroke-dasharray=\"{dash}\" stroke-linejoin=\"round\"/>"
    )
}

/// The area within `path`.
pub(super) fn fill(path: &str, opacity: f64) -> String {
    if path.is_empty() {
        return String::new();
    }
    format!("<path d=\"{path}\" fill-opacity=\"{opacity}\"/>")
}

/// A text whose anchor lies at the given pixel, cut to `room` pixels of font size 12.
pub(super) fn text(x: f64, y: f64, room: f64, content: &str) -> String {
    let content = escaped(&shortened(content, room));
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{content}</text>")
}

/// A text that rises towards its end.
pub(super) fn rising_text(x: f64, y: f64, room: f64, content: &str) -> String {
    let content = escaped(&shortened(content, room));
    format!("<text transform=\"translate({x:.1} {y:.1}) rotate(-35)\">{content}</text>")
}

/// About how wide a text of font size 12 is, whichever font the reader has.
pub(super) fn width_of(text: &str) -> f64 {
    text.chars().map(width_of_character).sum()
}

fn width_of_character(character: char) -> f64 {
    match character {
        ' ' | '!' | '\'' | ',' | '.' | ':' | ';' | '|' | 'I' | 'i' | 'j' | 'l' => 3.6,
        '(' | ')' | '-' | '/' | '[' | ']' | 'f' | 'r' | 't' => 4.9,
        '%' | '@' | 'M' | 'W' | 'm' | 'w' => 10.6,
        'A'..='Z' => 8.4,
        '\0'..='\u{2fff}' => 7.0,
        _ => 12.0,
    }
}

/// `text`, its end replaced by an ellipsis if it is wider than `room`.
fn shortened(text: &str, room: f64) -> String {
    if width_of(text) <= room {
        return text.to_owned();
    }
    let mut width = width_of("M");
    let fits = |character: &char| {
        width += width_of_character(*character);
        width <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}\u{2026}", kept.trim_end())
}

/// `text` as XML wants it; characters that XML forbids become spaces.
pub(super) fn escaped(text: &str) -> String {
    let mut xml = String::new();
    for character in text.chars() {
        match character {
            '&' => xml += "&amp;",
            '<' => xml += "&lt;",
            '>' => xml += "&gt;",
            '"' => xml += "&quot;",
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push(' '),
            _ => xml.push(character),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_its_element_or_attribute() {
        assert_eq!(escaped("<b> & \"c\"\u{0}\n"), "&lt;b&gt; &amp; &quot;c&quot;  ");
    }

    #[test]
    fn only_what_is_too_long_ends_in_an_ellipsis() {
        assert_eq!(shortened("attention", 100.0), "attention");
        assert_eq!(shortened("no attention", 32.0), "no\u{2026}");
        for text in ["m".repeat(999), "i".repeat(999), "\u{8a9e}".repeat(999)] {
            assert!(width_of(&shortened(&text, 80.0)) <= 80.0);
        }
    }
}
