//! An extractor as other programs read it: on activations as the language model makes them, with the
//! mean and the scale of ours inside its weights. Knows no format.
//!
//! Ours reads `s (x - mean)`. With `b_dec = mean + b / s`, `b_enc / s` and `threshold / s`, and the
//! same matrices, the same features are chosen, each divided by `s`, and the reconstruction is ours.

use shared::Csae;
use shared::bundle::Normalization;
use shared::sae::dictionary::{Dictionary, Sparsity};
use shared::weights::to_vec;

/// `f = choice of ReLU((x - b_dec) W_e + b_e)`, `x_hat = f D + b_dec`.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// `[d_model, n_features]`.
    pub encoder: Vec<f32>,
    /// `[n_features]`.
    pub encoder_bias: Vec<f32>,
    /// One direction of length 1 for each feature: `[n_features, d_model]`.
    pub decoder: Vec<f32>,
    /// `[d_model]`.
    pub decoder_bias: Vec<f32>,
    /// Which features stay.
    pub choice: Choice,
}

/// Which features of a row stay.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// All that are above 0.
    All,
    /// So many, the largest.
    TopK(usize),
    /// Those above their own threshold: `[n_features]`.
    Threshold(Vec<f32>),
}

impl Folded {
    /// The extractor of `model`: its code before the refit, decoded feature by feature.
    pub fn of_csae(model: &Csae, sparsity_k: usize, normalization: &Normalization) -> Self {
        Self {
            encoder: to_vec(model.encoder.val()),
            encoder_bias: to_vec(model.encoder_bias.val()),
            decoder: to_vec(model.decoder.val()),
            decoder_bias: to_vec(model.decoder_bias.val()),
            choice: Choice::TopK(sparsity_k),
        }
        .folded(normalization)
    }

    /// The extractor of a transcoder, from what was read and to what was added, both made ready in their
    /// own way: `x_hat = f D + b_dec` with the code of `x W_e + b_e`, nothing taken from `x` before.
    pub fn of_transcoder(
        model: &Csae,
        sparsity_k: usize,
        [read, added]: &[Normalization; 2],
    ) -> Self {
        let mut encoder = to_vec(model.encoder.val());
        let mut encoder_bias = to_vec(model.encoder_bias.val());
        let n_features = encoder_bias.len();
        for (weights, mean) in encoder.chunks_exact_mut(n_features).zip(&read.mean) {
            for (weight, bias) in weights.iter_mut().zip(&mut encoder_bias) {
                *bias -= *weight * mean * read.scale;
                *weight *= read.scale / added.scale;
            }
        }
        encoder_bias.iter_mut().for_each(|bias| *bias /= added.scale);
        let bias = to_vec(model.decoder_bias.val());
        let decoder_bias =
            bias.iter().zip(&added.mean).map(|(bias, mean)| mean + bias / added.scale).collect();
        let decoder = to_vec(model.decoder.val());
        Self { encoder, encoder_bias, decoder, decoder_bias, choice: Choice::TopK(sparsity_k) }
    }

    /// A dictionary whose training is over; `None` if its encoder has a hidden layer, for which no
    /// other program has a form.
    pub fn of_dictionary(model: &Dictionary, normalization: &Normalization) -> Option<Self> {
        let [n_features, _] = model.decoder.val().dims();
        let choice = match model.sparsity() {
            Sparsity::L1(_) | Sparsity::SteeredL1(_) => Choice::All,
            Sparsity::TopK(k) => Choice::TopK(*k),
            Sparsity::BatchTopK(_) | Sparsity::Matryoshka(_) => {
                Choice::Threshold(vec![to_vec(model.threshold.val())[0]; n_features])
            }
        };
        let plain = Self {
            encoder: to_vec(model.encoder.val()),
            encoder_bias: to_vec(model.encoder_bias.val()),
            decoder: to_vec(model.decoder.val()),
            decoder_bias: to_vec(model.decoder_bias.val()),
            choice,
        };
        model.hidden.is_none().then(|| plain.folded(normalization))
    }

    /// How many features it has.
    pub fn n_features(&self) -> usize {
        self.encoder_bias.len()
    }

    /// The width of the activations.
    pub fn d_model(&self) -> usize {
        self.decoder_bias.len()
    }

    /// `[n_features, d_model]`: the encoder with a row for each feature.
    pub fn encoder_rows(&self) -> Vec<f32> {
        let (d_model, n_features) = (self.d_model(), self.n_features());
        let row = |feature| (0..d_model).map(move |d| self.encoder[d * n_features + feature]);
        (0..n_features).flat_map(row).collect()
    }

    fn folded(self, normalization: &Normalization) -> Self {
        let scale = normalization.scale;
        let mut folded = self.with_unit_rows();
        let means = normalization.mean.iter();
        folded
            .decoder_bias
            .iter_mut()
            .zip(means)
            .for_each(|(bias, mean)| *bias = mean + *bias / scale);
        folded.encoder_bias.iter_mut().for_each(|bias| *bias /= scale);
        if let Choice::Threshold(thresholds) = &mut folded.choice {
            thresholds.iter_mut().for_each(|threshold| *threshold /= scale);
        }
        folded
    }

    /// Moves the length of each decoder row into the encoder. Not where the largest features are
    /// chosen, because that might change the choice; there the training keeps the length at 1.
    fn with_unit_rows(mut self) -> Self {
        if matches!(self.choice, Choice::TopK(_)) {
            return self;
        }
        let (d_model, n_features) = (self.d_model(), self.n_features());
        for feature in 0..n_features {
            let row = &mut self.decoder[feature * d_model..][..d_model];
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-8);
            row.iter_mut().for_each(|value| *value /= length);
            (0..d_model).for_each(|d| self.encoder[d * n_features + feature] *= length);
            self.encoder_bias[feature] *= length;
            if let Choice::Threshold(thresholds) = &mut self.choice {
                thresholds[feature] *= length;
            }
        }
        self
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use burn::prelude::*;
    use shared::sae::Autoencoder;
    use shared::sae::dictionary::DictionaryConfig;
    use shared::weights::{self, Weight};
    use shared::{CsaeConfig, random};

    const D_MODEL: usize = 12;
    const N_FEATURES: usize = 40;

    pub fn normalization() -> Normalization {
        let mean = random::normal(&mut random::stream(1, "mean"), D_MODEL, 3.0);
        Normalization { mean, scale: 0.37 }
    }

    /// A model with biases, as after a training.
    pub fn csae() -> Csae {
        let model = CsaeConfig::new(D_MODEL).with_n_features(N_FEATURES).init(3, &Device::flex());
        let mut all = weights::of(&model);
        for name in ["encoder", "encoder_bias", "decoder_bias"] {
            disturb(all.get_mut(name).unwrap());
        }
        weights::load(model, &all).unwrap()
    }

    fn disturb(weight: &mut Weight) {
        let mut random = random::stream(weight.values.len() as u64, "disturbance");
        let noise = random::normal(&mut random, weight.values.len(), 0.2);
        weight.values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
    }

    fn dictionary(sparsity: Sparsity) -> Dictionary {
        let config = DictionaryConfig::new(D_MODEL, sparsity).with_n_features(N_FEATURES);
        let model = config.init(3, &Device::flex());
        let mut all = weights::of(&model);
        for name in ["encoder", "encoder_bias", "decoder", "decoder_bias"] {
            disturb(all.get_mut(name).unwrap());
        }
        all.get_mut("threshold").unwrap().values[0] = 0.4;
        weights::load(model, &all).unwrap()
    }

    /// Rows as a language model makes them: `[1000, d_model]`.
    pub fn activations() -> Tensor<2> {
        let values = random::normal(&mut random::stream(2, "rows"), 1_000 * D_MODEL, 1.0);
        let rows = Tensor::from_data(TensorData::new(values, [1_000, D_MODEL]), &Device::flex());
        normalization().undo(rows)
    }

    /// Code and reconstruction by plain loops, as the readers of our files compute them.
    pub fn read(folded: &Folded, row: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (d_model, n_features) = (folded.d_model(), folded.n_features());
        let mut code = folded.encoder_bias.clone();
        for (d, value) in row.iter().enumerate() {
            let centred = value - folded.decoder_bias[d];
            for (feature, sum) in code.iter_mut().enumerate() {
                *sum += centred * folded.encoder[d * n_features + feature];
            }
        }
        code.iter_mut().for_each(|value| *value = value.max(0.0));
        match &folded.choice {
            Choice::All => (),
            Choice::TopK(k) => {
                let mut sorted = code.clone();
                sorted.sort_by(|one, other| other.total_cmp(one));
                code.iter_mut().filter(|value| **value < sorted[k - 1]).for_each(|v| *v = 0.0);
            }
            Choice::Threshold(thresholds) => {
                let pairs = code.iter_mut().zip(thresholds);
                pairs.filter(|(value, least)| **value <= **least).for_each(|(v, _)| *v = 0.0);
            }
        }
        let mut rebuilt = folded.decoder_bias.clone();
        for (feature, strength) in code.iter().enumerate() {
            let row = &folded.decoder[feature * d_model..][..d_model];
            rebuilt.iter_mut().zip(row).for_each(|(sum, value)| *sum += strength * value);
        }
        (code, rebuilt)
    }

    /// Compares with our own code and reconstruction of scaled rows, in the activations' scale.
    fn check(folded: &Folded, code: Tensor<2>, reconstruction: Tensor<2>) {
        let scale = normalization().scale;
        let code = to_vec(code / scale);
        let rebuilt = to_vec(normalization().undo(reconstruction));
        let lengths: Vec<f32> = folded
            .decoder
            .chunks(D_MODEL)
            .map(|row| row.iter().map(|value| value * value).sum::<f32>().sqrt())
            .collect();
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5), "{lengths:?}");
        let rows = to_vec(activations());
        for (place, row) in rows.chunks(D_MODEL).enumerate() {
            let (their_code, theirs) = read(folded, row);
            let ours = &rebuilt[place * D_MODEL..][..D_MODEL];
            assert_near(&theirs, ours);
            let our_code = &code[place * N_FEATURES..][..N_FEATURES];
            // The size of a feature changes with the length of its direction.
            let zeros = |code: &[f32]| code.iter().map(|v| *v == 0.0).collect::<Vec<_>>();
            assert_eq!(zeros(&their_code), zeros(our_code), "row {place}");
            if matches!(folded.choice, Choice::TopK(_)) {
                assert_near(&their_code, our_code);
            }
        }
    }

    fn assert_near(one: &[f32], other: &[f32]) {
        let largest = other.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
        let pairs = one.iter().zip(other);
        let apart = pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(apart < 1e-5 * largest, "{apart} of {largest}");
    }

    #[test]
    fn a_csae_reads_and_rebuilds_raw_activations_as_ours_does_scaled_ones() {
        let (model, rows) = (csae(), normalization().apply(activations()));
        let limits = shared::Limits { sparsity_k: 7, combination_size: 1 };

        let folded = Folded::of_csae(&model, 7, &normalization());

        let output = model.forward(rows, limits);
        let code = output.active.into_dense(N_FEATURES);
        check(&folded, code, output.reconstruction);
    }

    #[test]
    fn dictionaries_of_every_kind_read_raw_activations_and_have_directions_of_length_one() {
        let kinds = [Sparsity::L1(0.1), Sparsity::BatchTopK(6), Sparsity::Matryoshka(6)];
        for sparsity in kinds {
            let (model, rows) = (dictionary(sparsity), normalization().apply(activations()));

            let folded = Folded::of_dictionary(&model, &normalization()).unwrap();

            let output = model.forward(rows);
            check(&folded, output.code, output.reconstruction);
        }
    }

    #[test]
    fn a_transcoder_predicts_raw_activations_from_raw_ones_as_ours_does_scaled_ones() {
        let (model, inputs) = (csae(), activations());
        let mean = random::normal(&mut random::stream(4, "mean"), D_MODEL, 2.0);
        let added = Normalization { mean, scale: 1.9 };
        let limits = shared::Limits { sparsity_k: 7, combination_size: 1 };

        let folded = Folded::of_transcoder(&model, 7, &[normalization(), added.clone()]);

        let output = model.transcode(normalization().apply(inputs.clone()), limits);
        let code = to_vec(output.active.into_dense(N_FEATURES) / added.scale);
        let predicted = to_vec(added.undo(output.reconstruction));
        // A reader takes nothing from the inputs.
        let alone = Folded { decoder_bias: vec![0.0; D_MODEL], ..folded.clone() };
        for (place, row) in to_vec(inputs).chunks(D_MODEL).enumerate() {
            let (their_code, mut theirs) = read(&alone, row);
            theirs.iter_mut().zip(&folded.decoder_bias).for_each(|(sum, bias)| *sum += bias);
            assert_near(&their_code, &code[place * N_FEATURES..][..N_FEATURES]);
            assert_near(&theirs, &predicted[place * D_MODEL..][..D_MODEL]);
        }
    }

    #[test]
    fn an_encoder_with_a_hidden_layer_has_no_form_elsewhere() {
        let config = DictionaryConfig::new(D_MODEL, Sparsity::TopK(3)).with_n_features(N_FEATURES);
        let model = config.with_hidden(Some(D_MODEL)).init(1, &Device::flex());

        assert!(Folded::of_dictionary(&model, &normalization()).is_none());
    }

    #[test]
    fn encoder_rows_are_the_columns_of_the_encoder() {
        let folded = Folded::of_csae(&csae(), 7, &normalization());

        let rows = folded.encoder_rows();

        assert_eq!(rows[5 * D_MODEL + 2], folded.encoder[2 * N_FEATURES + 5]);
    }
}
