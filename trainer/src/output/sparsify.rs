//! Directories that sparsify and delphi load: `SparseCoder.load_many(path, local=True)`. One folder
//! for each place in the language model, with `cfg.json` and `sae.safetensors`
//! (EleutherAI/sparsify, `sparse_coder.py`).

use serde_json::json;
use shared::bundle::Files;
use shared::weights::{self, Precision, Weight, Weights, WeightsError};

use super::folded::{Choice, Folded};

/// What a coder makes of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The same rows again.
    Rebuild,
    /// Others, which are as wide; nothing is taken from the rows before they are encoded.
    Transcode,
}

/// The place after `layer` blocks, by the name that GPT-2's modules have.
pub fn hookpoint(layer: usize) -> String {
    layer.checked_sub(1).map_or_else(|| "wte".into(), |block| format!("h.{block}"))
}

/// The perceptron of the last of `layer` blocks, by the name that GPT-2's modules have.
pub fn perceptron(layer: usize) -> String {
    format!("{}.mlp", hookpoint(layer))
}

/// `cfg.json` and the tensors of a coder; `None` for one that does not choose the largest
/// features, which sparsify has no word for.
///
/// # Errors
/// A shape does not fit its values, which cannot be.
pub fn files(folded: &Folded, task: Task) -> Result<Option<Files>, WeightsError> {
    let Choice::TopK(k) = folded.choice else { return Ok(None) };
    let (d_model, n_features) = (folded.d_model(), folded.n_features());
    let weight = |shape: &[usize], values: Vec<f32>| Weight { shape: shape.to_vec(), values };
    let tensors = Weights::from([
        ("encoder.weight".to_string(), weight(&[n_features, d_model], folded.encoder_rows())),
        ("encoder.bias".to_string(), weight(&[n_features], folded.encoder_bias.clone())),
        ("W_dec".to_string(), weight(&[n_features, d_model], folded.decoder.clone())),
        ("b_dec".to_string(), weight(&[d_model], folded.decoder_bias.clone())),
    ]);
    // With `num_latents` written, the factor is not read; it must be a whole number.
    let config = json!({
        "activation": "topk",
        "expansion_factor": n_features.div_ceil(d_model),
        "normalize_decoder": true,
        "num_latents": n_features,
        "k": k,
        "multi_topk": false,
        "skip_connection": false,
        "transcode": task == Task::Transcode,
        "d_in": d_model,
    });
    let config = format!("{config}\n").into_bytes();
    let tensors = weights::to_bytes(&tensors, Precision::F32, None)?;
    Ok(Some(Files::from([("cfg.json".into(), config), ("sae.safetensors".into(), tensors)])))
}

#[cfg(test)]
mod tests {
    use super::super::folded::tests::{csae, normalization};
    use super::*;

    #[test]
    fn the_encoder_has_a_row_for_each_feature_and_the_number_of_features_is_written() {
        let folded = Folded::of_csae(&csae(), 7, &normalization());

        let files = files(&folded, Task::Rebuild).unwrap().unwrap();

        let (tensors, _) = weights::from_bytes(&files["sae.safetensors"]).unwrap();
        assert_eq!(tensors["encoder.weight"].shape, [40, 12]);
        assert_eq!(tensors["encoder.weight"].values[3 * 12 + 4], folded.encoder[4 * 40 + 3]);
        assert_eq!(tensors["b_dec"].values, folded.decoder_bias);
        let config: serde_json::Value = serde_json::from_slice(&files["cfg.json"]).unwrap();
        assert_eq!((config["num_latents"].as_u64(), config["k"].as_u64()), (Some(40), Some(7)));
    }

    #[test]
    fn thresholds_have_no_form() {
        let folded = Folded::of_csae(&csae(), 7, &normalization());
        let folded = Folded { choice: Choice::Threshold(vec![0.1; 40]), ..folded };

        assert!(files(&folded, Task::Rebuild).unwrap().is_none());
    }

    #[test]
    fn places_are_named_as_modules_of_gpt_2() {
        assert_eq!((hookpoint(2), hookpoint(0)), ("h.1".into(), "wte".into()));
        assert_eq!(perceptron(1), "h.0.mlp");
    }
}
