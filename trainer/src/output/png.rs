//! An SVG as PNG bytes, with a font of our own, so that every machine draws the same picture.

use std::sync::Arc;

use anyhow::{Context, Result};
use epaint_default_fonts::UBUNTU_LIGHT;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Draws `svg` as a PNG `pixels_wide` across; its height follows from the drawing's proportions.
pub fn render(svg: &str, pixels_wide: u32) -> Result<Vec<u8>> {
    let tree = Tree::from_str(svg, &options()).context("the plot is not a valid SVG")?;
    let scale = pixels_wide as f32 / tree.size().width();
    let pixels_high = (tree.size().height() * scale).round() as u32;
    let mut pixmap = Pixmap::new(pixels_wide, pixels_high)
        .with_context(|| format!("a PNG cannot have {pixels_wide} x {pixels_high} pixels"))?;

    let to_pixels = Transform::from_scale(scale, scale);
    resvg::render(&tree, to_pixels, &mut pixmap.as_mut());

    pixmap.encode_png().context("the plot could not be written as PNG")
}

/// The embedded font stands in for every family a drawing asks for.
fn options() -> Options<'static> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(UBUNTU_LIGHT.to_vec());
    let family = fonts.faces().next().map(|face| face.families[0].0.clone()).unwrap_or_default();
    fonts.set_sans_serif_family(&family);
    // usvg's last resort.
    fonts.set_serif_family(&family);
    Options { font_family: family, fontdb: Arc::new(fonts), ..Options::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(content: &str) -> String {
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50">
                <rect width="100" height="50" fill="#fff"/>{content}</svg>"##
        )
    }

    fn dark_pixels(svg: &str) -> usize {
        let png = render(svg, 200).expect("the drawing is valid");
        let pixmap = Pixmap::decode_png(&png).expect("the bytes are a PNG");
        pixmap.pixels().iter().filter(|pixel| pixel.red() < 100).count()
    }

    #[test]
    fn the_picture_is_as_wide_as_asked_and_keeps_its_proportions() {
        let png = render(&svg(""), 300).expect("the drawing is valid");

        let pixmap = Pixmap::decode_png(&png).expect("the bytes are a PNG");
        assert_eq!((pixmap.width(), pixmap.height()), (300, 150));
    }

    #[test]
    fn text_is_drawn_whatever_family_it_asks_for() {
        assert_eq!(dark_pixels(&svg("")), 0);
        for family in ["Ubuntu, sans-serif", "sans-serif", "Nowhere Installed"] {
            let text = svg(&format!(r#"<text x="10" y="30" font-family="{family}">Text</text>"#));
            assert!(dark_pixels(&text) > 100, "{family}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        assert!(render("<svg", 300).is_err());
        assert!(render(&svg(""), 0).is_err());
    }
}
