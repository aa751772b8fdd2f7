//! Directories that SAELens loads: `SAE.load_from_disk(path)`. One for each autoencoder, with
//! `cfg.json` and `sae_weights.safetensors` (decoderesearch/SAELens, `loading/pretrained_sae_loaders.py`
//! and `saes/`, version 6).

use serde_json::{Map, Value, json};
use shared::bundle::{Files, Normalization};
use shared::weights::{self, Precision, Weight, Weights, WeightsError};
use shared::{Csae, CsaeConfig};

use super::folded::{Choice, Folded};

/// The version of SAELens whose form is written; a loader rewrites what is older than 6.0.0.
const SAE_LENS: &str = "6.54.12";
/// What SAELens calls the tensors of an autoencoder.
pub const TENSORS: &str = "sae_weights.safetensors";
/// Where the tensors of a composition are, which SAELens does not know.
pub const COMPOSITION: &str = "csae_weights.safetensors";

/// Of which activations an autoencoder is.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The data set of the language model.
    pub dataset: &'a str,
    /// After which block the activations are.
    pub layer: usize,
    /// How long the language model's windows are.
    pub block_size: usize,
}

impl Site<'_> {
    /// The residual stream there, by its name in TransformerLens.
    pub fn hook(&self) -> String {
        match self.layer.checked_sub(1) {
            Some(block) => format!("blocks.{block}.hook_resid_post"),
            None => "blocks.0.hook_resid_pre".into(),
        }
    }
}

/// `cfg.json` and the tensors of an autoencoder; `about` is kept in the metadata under `csae`.
///
/// # Errors
/// A shape does not fit its values, which cannot be.
pub fn files(folded: &Folded, site: &Site, about: Value) -> Result<Files, WeightsError> {
    let (d_model, n_features) = (folded.d_model(), folded.n_features());
    let tensor =
        |shape: &[usize], values: &[f32]| Weight { shape: shape.to_vec(), values: values.to_vec() };
    let mut tensors = Weights::from([
        ("W_enc".to_string(), tensor(&[d_model, n_features], &folded.encoder)),
        ("b_enc".to_string(), tensor(&[n_features], &folded.encoder_bias)),
        ("W_dec".to_string(), tensor(&[n_features, d_model], &folded.decoder)),
        ("b_dec".to_string(), tensor(&[d_model], &folded.decoder_bias)),
    ]);
    if let Choice::Threshold(thresholds) = &folded.choice {
        tensors.insert("threshold".into(), tensor(&[n_features], thresholds));
    }
    let mut config = serde_json::to_vec_pretty(&config(folded, site, about)).unwrap_or_default();
    config.push(b'\n');
    let tensors = weights::to_bytes(&tensors, Precision::F32, None)?;
    Ok(Files::from([("cfg.json".into(), config), (TENSORS.into(), tensors)]))
}

fn config(folded: &Folded, site: &Site, about: Value) -> Value {
    let own = match &folded.choice {
        Choice::All => json!({ "architecture": "standard" }),
        Choice::Threshold(_) => json!({ "architecture": "jumprelu" }),
        Choice::TopK(k) => json!({
            "architecture": "topk",
            "k": k,
            "rescale_acts_by_decoder_norm": false,
        }),
    };
    let common = json!({
        "d_in": folded.d_model(),
        "d_sae": folded.n_features(),
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": true,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": SAE_LENS,
            "sae_lens_training_version": null,
            "model_name": format!("csae-{}", site.dataset),
            "hook_name": site.hook(),
            "hook_head_index": null,
            "context_size": site.block_size,
            "prepend_bos": false,
            "dataset_path": site.dataset,
            "model_from_pretrained_kwargs": {},
            "csae": about,
        },
    });
    let fields =
        |value: Value| -> Map<String, Value> { value.as_object().cloned().unwrap_or_default() };
    let mut all = fields(common);
    all.extend(fields(own));
    Value::Object(all)
}

/// What of `config`'s model a reader of its extractor must know.
pub fn about(trial: &str, config: &CsaeConfig, made_by: &str) -> Value {
    let composition = match (&config.units, &config.attention) {
        (Some(_), _) => json!("units"),
        (None, Some(_)) => json!("attention"),
        (None, None) => Value::Null,
    };
    let whole = composition.is_null() && config.refit_steps == 0;
    let remark = match whole {
        true => "the whole model",
        false => {
            "the extractor alone: the whole model refits these coefficients or adds what features \
             say together, so its coefficients and its reconstruction differ"
        }
    };
    json!({
        "made_by": made_by,
        "trial": trial,
        "refit_steps": config.refit_steps,
        "composition": composition,
        "composition_tensors": (!composition.is_null()).then_some(COMPOSITION),
        "remark": remark,
    })
}

/// What a reader of a rival must know.
pub fn about_rival(trial: &str, made_by: &str) -> Value {
    json!({ "made_by": made_by, "trial": trial, "remark": "the whole model" })
}

/// The tensors of the composition, and how rows are made ready for it; `None` without one.
///
/// # Errors
/// A shape does not fit its values, which cannot be.
pub fn composition(
    model: &Csae,
    normalization: &Normalization,
) -> Result<Option<Vec<u8>>, WeightsError> {
    let mut tensors = weights::of(model);
    tensors.retain(|name, _| name.starts_with("attention.") || name.starts_with("units."));
    if tensors.is_empty() {
        return Ok(None);
    }
    normalization.put_into(&mut tensors);
    weights::to_bytes(&tensors, Precision::F32, None).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::folded::tests::{activations, csae, normalization, read};
    use super::*;
    use shared::UnitsConfig;
    use shared::weights::to_vec;

    const SITE: Site = Site { dataset: "play", layer: 2, block_size: 64 };

    fn config(files: &Files) -> Value {
        serde_json::from_slice(&files["cfg.json"]).unwrap()
    }

    /// An extractor out of the written files.
    fn reread(files: &Files) -> Folded {
        let (mut tensors, _) = weights::from_bytes(&files[TENSORS]).unwrap();
        let mut take = |name: &str| tensors.remove(name).unwrap().values;
        let config = config(files);
        let choice = match config["architecture"].as_str().unwrap() {
            "topk" => Choice::TopK(config["k"].as_u64().unwrap() as usize),
            "jumprelu" => Choice::Threshold(take("threshold")),
            _ => Choice::All,
        };
        let folded = Folded {
            encoder: take("W_enc"),
            encoder_bias: take("b_enc"),
            decoder: take("W_dec"),
            decoder_bias: take("b_dec"),
            choice,
        };
        assert!(tensors.is_empty(), "a loader refuses tensors that it does not know");
        folded
    }

    #[test]
    fn what_the_files_say_is_the_extractor_on_raw_activations() {
        let folded = Folded::of_csae(&csae(), 7, &normalization());

        let files = files(&folded, &SITE, Value::Null).unwrap();

        let reread = reread(&files);
        assert_eq!(reread, folded);
        let row = &to_vec(activations())[..folded.d_model()];
        assert_eq!(read(&reread, row).0.iter().filter(|value| **value > 0.0).count(), 7);
        let config = config(&files);
        assert_eq!((config["d_in"].as_u64(), config["d_sae"].as_u64()), (Some(12), Some(40)));
        assert_eq!(config["metadata"]["hook_name"], "blocks.1.hook_resid_post");
        assert_eq!(config["dtype"], "float32");
    }

    #[test]
    fn thresholds_make_a_jumprelu_and_their_absence_a_standard_one() {
        let topk = Folded::of_csae(&csae(), 7, &normalization());
        for choice in [Choice::Threshold(vec![0.5; 40]), Choice::All] {
            let folded = Folded { choice, ..topk.clone() };

            let files = files(&folded, &SITE, Value::Null).unwrap();

            assert_eq!(reread(&files), folded);
            assert!(config(&files).get("k").is_none());
        }
    }

    #[test]
    fn a_composition_stands_beside_and_the_metadata_say_so() {
        let units = UnitsConfig::new().with_n_units(3);
        let shape = CsaeConfig::new(12).with_n_features(40).with_units(Some(units));
        let model = shape.init(1, &burn::prelude::Device::flex());

        let bytes = composition(&model, &normalization()).unwrap().unwrap();

        let (tensors, _) = weights::from_bytes(&bytes).unwrap();
        assert_eq!(tensors["units.parts"].shape, [40, 3]);
        assert!(tensors.contains_key("normalization.mean"));
        assert!(!tensors.contains_key("encoder"));
        let told = about("units", &shape, "csae");
        assert_eq!(told["composition_tensors"], COMPOSITION);
        assert!(told["remark"].as_str().unwrap().contains("coefficients"));
        assert!(composition(&csae(), &normalization()).unwrap().is_none());
    }
}
