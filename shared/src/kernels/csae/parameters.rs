//! The parameters of a model, laid flat.

use burn::module::Param;
use burn::prelude::*;

use crate::sae::dictionary::Dictionary;
use crate::weights::{param, to_vec};
use crate::{Attention, Csae};

/// The parameters of a model, or one number for each of them, such as a gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The transpose of the model's encoder: `[n_features, d_model]`.
    pub encoder: Vec<f32>,
    /// `[n_features]`.
    pub encoder_bias: Vec<f32>,
    /// `[n_features, d_model]`.
    pub decoder: Vec<f32>,
    /// `[d_model]`.
    pub decoder_bias: Vec<f32>,
    /// `[n_units, d_model]`, empty without units.
    pub effects: Vec<f32>,
    /// All empty without attention.
    pub attention: AttentionParameters,
}

/// The parameters of an [`Attention`] of one round or two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttentionParameters {
    /// `[n_features, d_compose]`.
    pub embedding: Vec<f32>,
    /// `[d_compose, d_compose]`, as are key and value.
    pub query: Vec<f32>,
    /// From embeddings to what is compared with queries.
    pub key: Vec<f32>,
    /// From embeddings to what a partner adds.
    pub value: Vec<f32>,
    /// `[n_heads]`.
    pub null: Vec<f32>,
    /// `[d_compose, d_model]`.
    pub output: Vec<f32>,
    /// `[d_compose]`, empty without a gate, as are the other two.
    pub gate_token: Vec<f32>,
    /// `[d_compose]`.
    pub gate_composed: Vec<f32>,
    /// `[n_features]`.
    pub gate_bias: Vec<f32>,
    /// From what was composed to the tokens of a second round: `[d_compose, d_compose]`, empty
    /// without one.
    pub between: Vec<f32>,
}

impl Parameters {
    /// The parameters of a model.
    pub fn of(model: &Csae) -> Self {
        let effects = model.units.as_ref().map(|units| flat(&units.effects));
        Self {
            encoder: to_vec(model.encoder.val().without_autodiff().transpose()),
            encoder_bias: flat(&model.encoder_bias),
            decoder: flat(&model.decoder),
            decoder_bias: flat(&model.decoder_bias),
            effects: effects.unwrap_or_default(),
            attention: model.attention.as_ref().map(AttentionParameters::of).unwrap_or_default(),
        }
    }

    /// The parameters of a dictionary without a hidden layer.
    pub fn of_dictionary(model: &Dictionary) -> Self {
        Self {
            encoder: to_vec(model.encoder.val().without_autodiff().transpose()),
            encoder_bias: flat(&model.encoder_bias),
            decoder: flat(&model.decoder),
            decoder_bias: flat(&model.decoder_bias),
            ..Self::default()
        }
    }

    /// Gives these parameters to a dictionary.
    pub fn put_into_dictionary(&self, model: &mut Dictionary) {
        put(&mut model.encoder, &transposed(&self.encoder, self.d_model()));
        put(&mut model.encoder_bias, &self.encoder_bias);
        put(&mut model.decoder, &self.decoder);
        put(&mut model.decoder_bias, &self.decoder_bias);
    }

    /// `model` with these parameters.
    pub fn put_into(&self, mut model: Csae) -> Csae {
        let [_, d_model] = model.decoder.val().dims();
        put(&mut model.encoder, &transposed(&self.encoder, d_model));
        put(&mut model.encoder_bias, &self.encoder_bias);
        put(&mut model.decoder, &self.decoder);
        put(&mut model.decoder_bias, &self.decoder_bias);
        if let Some(units) = &mut model.units {
            put(&mut units.effects, &self.effects);
        }
        if let Some(attention) = &mut model.attention {
            self.attention.put_into(attention);
        }
        model
    }

    /// As many zeros.
    pub fn zeros_like(&self) -> Self {
        let mut zeros = self.clone();
        zeros.named().for_each(|(_, values)| values.fill(0.0));
        zeros
    }

    /// All of them under the names that they have in the model; none without values.
    pub fn named(&mut self) -> impl Iterator<Item = (&'static str, &mut Vec<f32>)> {
        self.all().into_iter().filter(|(_, values)| !values.is_empty())
    }

    /// Makes room for as many numbers as `others` are; what is new is 0.
    pub(super) fn resize_like(&mut self, others: &Self) {
        let Self { encoder, encoder_bias, decoder, decoder_bias, effects, attention } = others;
        let AttentionParameters { embedding, query, key, value, null, output, .. } = attention;
        let AttentionParameters { gate_token, gate_composed, gate_bias, between, .. } = attention;
        let others = [
            [encoder, encoder_bias, decoder, decoder_bias, effects],
            [embedding, query, key, value, null],
            [output, gate_token, gate_composed, gate_bias, between],
        ];
        for ((_, values), others) in self.all().into_iter().zip(others.as_flattened()) {
            values.resize(others.len(), 0.0);
        }
    }

    fn all(&mut self) -> [(&'static str, &mut Vec<f32>); 15] {
        let Self { encoder, encoder_bias, decoder, decoder_bias, effects, attention } = self;
        [
            ("encoder", encoder),
            ("encoder_bias", encoder_bias),
            ("decoder", decoder),
            ("decoder_bias", decoder_bias),
            ("units.effects", effects),
            ("attention.embedding", &mut attention.embedding),
            ("attention.query", &mut attention.query),
            ("attention.key", &mut attention.key),
            ("attention.value", &mut attention.value),
            ("attention.null", &mut attention.null),
            ("attention.output", &mut attention.output),
            ("attention.gate.token", &mut attention.gate_token),
            ("attention.gate.composed", &mut attention.gate_composed),
            ("attention.gate.bias", &mut attention.gate_bias),
            ("attention.between_rounds", &mut attention.between),
        ]
    }

    /// The width of a row.
    pub fn d_model(&self) -> usize {
        self.decoder_bias.len()
    }

    /// How many features there are.
    pub fn n_features(&self) -> usize {
        self.encoder_bias.len()
    }

    /// The direction of a feature.
    pub(super) fn direction(&self, feature: u32) -> &[f32] {
        &self.decoder[feature as usize * self.d_model()..][..self.d_model()]
    }

    /// What a unit adds at strength 1.
    pub(super) fn effect(&self, unit: u32) -> &[f32] {
        &self.effects[unit as usize * self.d_model()..][..self.d_model()]
    }
}

impl AttentionParameters {
    fn of(attention: &Attention) -> Self {
        let mut all = Self {
            embedding: flat(&attention.embedding),
            query: flat(&attention.query),
            key: flat(&attention.key),
            value: flat(&attention.value),
            null: flat(&attention.null),
            output: flat(&attention.output),
            ..Self::default()
        };
        if let Some(gate) = &attention.gate {
            all.gate_token = flat(&gate.token);
            all.gate_composed = flat(&gate.composed);
            all.gate_bias = flat(&gate.bias);
        }
        if let Some(between) = &attention.between_rounds {
            all.between = flat(between);
        }
        all
    }

    fn put_into(&self, attention: &mut Attention) {
        put(&mut attention.embedding, &self.embedding);
        put(&mut attention.query, &self.query);
        put(&mut attention.key, &self.key);
        put(&mut attention.value, &self.value);
        put(&mut attention.null, &self.null);
        put(&mut attention.output, &self.output);
        if let Some(gate) = &mut attention.gate {
            put(&mut gate.token, &self.gate_token);
            put(&mut gate.composed, &self.gate_composed);
            put(&mut gate.bias, &self.gate_bias);
        }
        if let Some(between) = &mut attention.between_rounds {
            put(between, &self.between);
        }
    }
}

fn flat<const D: usize>(parameter: &Param<Tensor<D>>) -> Vec<f32> {
    to_vec(parameter.val().without_autodiff())
}

fn put<const D: usize>(parameter: &mut Param<Tensor<D>>, values: &[f32]) {
    let (shape, device) = (parameter.val().dims(), parameter.val().device());
    *parameter = param(values.to_vec(), shape, &device);
}

/// The transpose of a matrix whose rows are `width` long.
pub fn transposed(matrix: &[f32], width: usize) -> Vec<f32> {
    let column = |column: usize| matrix.iter().skip(column).step_by(width).copied();
    (0..width).flat_map(column).collect()
}
