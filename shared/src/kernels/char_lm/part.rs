//! Some windows of a batch on their way through the model and back.

use super::attention::{Heads, Space};
use super::curves::{
    Counted, add, back_through_gelu, back_through_norm, cross_entropy, gained, gelu, normalize,
};
use super::layout::{BlockLayout, Layout};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product};

/// What all parts read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) lanes: Lanes,
    pub(super) layout: &'a Layout,
    pub(super) parameters: &'a [f32],
    pub(super) packed: &'a [PackedBlock],
    /// The embedding as output layer and back.
    pub(super) output: &'a [Packed; 2],
    /// How long a window is.
    pub(super) length: usize,
}

/// The matrices of a block as products read them: forward, then back.
#[derive(Clone, Debug, Default)]
pub(super) struct PackedBlock {
    pub(super) query_key_value: [Packed; 2],
    pub(super) attention_output: [Packed; 2],
    pub(super) mlp_input: [Packed; 2],
    pub(super) mlp_output: [Packed; 2],
}

/// The rows of some windows. Tables are laid out row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) blocks: Vec<BlockRows>,
    pub(super) last: Normed,
    /// `[rows, vocab_size]`, later their gradient.
    pub(super) logits: Vec<f32>,
    /// The gradient of the stream; in the end that of the embeddings.
    pub(super) slopes: Vec<f32>,
    /// The gradient of the last norm's gain.
    pub(super) of_last_gain: Vec<f32>,
    /// The sum of the rows' losses.
    pub(super) loss: f64,
    stream: Vec<f32>,
    /// `[rows, d_model]`.
    narrow: Vec<f32>,
    groups: Vec<f32>,
    space: Space,
}

/// A normed stream, `[rows, d_model]`, and the inverse deviation of each row.
#[derive(Clone, Debug, Default)]
pub(super) struct Normed {
    pub(super) rows: Vec<f32>,
    inverse: Vec<f32>,
}

/// What a block made of the rows, and the gradients of it.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockRows {
    pub(super) heard_from: Normed,
    query_key_value: Vec<f32>,
    chances: Vec<f32>,
    pub(super) mixed: Vec<f32>,
    pub(super) read: Normed,
    hidden: Vec<f32>,
    pub(super) active: Vec<f32>,
    pub(super) of_query_key_value: Vec<f32>,
    pub(super) of_attended: Vec<f32>,
    pub(super) of_hidden: Vec<f32>,
    pub(super) of_added: Vec<f32>,
    pub(super) of_attention_gain: Vec<f32>,
    pub(super) of_mlp_gain: Vec<f32>,
}

impl Part {
    /// Reads windows of `ids` and `targets`; goes back, too, if it is said how much each target counts.
    pub(super) fn learn(
        &mut self,
        context: &Context,
        ids: &[u32],
        targets: &[u32],
        counted: Option<Counted>,
    ) {
        self.forward(context, ids);
        self.loss = cross_entropy(context.lanes, &mut self.logits, targets, counted);
        if counted.is_some() {
            self.back(context);
        }
    }

    fn forward(&mut self, context: &Context, ids: &[u32]) {
        let Context { lanes, layout, parameters, .. } = *context;
        let (rows, width) = (ids.len(), layout.config.d_model);
        self.blocks.resize(layout.blocks.len(), BlockRows::default());
        self.narrow.resize(rows * width, 0.0);
        embed(context, ids, &mut self.stream);

        let Self { blocks, stream, narrow, groups, space, .. } = self;
        let all = blocks.iter_mut().zip(&layout.blocks).zip(context.packed);
        for ((block, places), packed) in all {
            block.resize(context, rows);
            block.attend(context, places, packed, (stream, narrow), groups, space);
            block.perceive(context, places, packed, (stream, narrow), groups);
        }
        self.last.fill(lanes, &self.stream, width);
        gained(lanes, &self.last.rows, &parameters[layout.final_norm.clone()], &mut self.narrow);
        self.logits.resize(rows * layout.config.vocab_size, 0.0);
        product(lanes, &mut self.logits, &self.narrow, &context.output[0], &[], &mut self.groups);
    }

    fn back(&mut self, context: &Context) {
        let Context { lanes, layout, parameters, .. } = *context;
        let Self { blocks, last, logits, slopes, of_last_gain, narrow, groups, space, .. } = self;
        product(lanes, narrow, logits, &context.output[1], &[], groups);
        zeros(slopes, narrow.len());
        zeros(of_last_gain, layout.config.d_model);
        let gain = &parameters[layout.final_norm.clone()];
        back_through_norm(lanes, narrow, last.both(), gain, slopes, of_last_gain);
        let all = blocks.iter_mut().zip(&layout.blocks).zip(context.packed);
        for ((block, places), packed) in all.rev() {
            block.back_from_added(context, places, packed, (slopes, narrow), groups);
            block.back_from_attended(context, places, packed, (slopes, narrow), groups, space);
        }
    }
}

/// The stream in front of the first block, `[rows, d_model]`.
pub(super) fn embed(context: &Context, ids: &[u32], stream: &mut Vec<f32>) {
    let Context { lanes, layout, parameters, .. } = *context;
    let width = layout.config.d_model;
    stream.clear();
    let tokens = &parameters[layout.tokens.clone()];
    ids.iter().for_each(|id| stream.extend_from_slice(&tokens[*id as usize * width..][..width]));
    let positions = &parameters[layout.positions.clone()][..context.length * width];
    stream.chunks_exact_mut(positions.len()).for_each(|window| add(lanes, window, positions));
}

impl Normed {
    pub(super) fn fill(&mut self, lanes: Lanes, stream: &[f32], width: usize) {
        self.rows.resize(stream.len(), 0.0);
        self.inverse.resize(stream.len() / width, 0.0);
        normalize(lanes, stream, width, &mut self.rows, &mut self.inverse);
    }

    fn both(&self) -> (&[f32], &[f32]) {
        (&self.rows, &self.inverse)
    }
}

impl BlockRows {
    pub(super) fn resize(&mut self, context: &Context, rows: usize) {
        let config = &context.layout.config;
        let width = config.d_model;
        self.query_key_value.resize(rows * 3 * width, 0.0);
        self.chances.resize(rows * config.n_heads * context.length, 0.0);
        self.mixed.resize(rows * width, 0.0);
        self.hidden.resize(rows * 4 * width, 0.0);
        self.active.resize(rows * 4 * width, 0.0);
    }

    /// What attention adds to the stream; `narrow` has room for as much.
    pub(super) fn attend(
        &mut self,
        context: &Context,
        places: &BlockLayout,
        packed: &PackedBlock,
        (stream, narrow): (&mut [f32], &mut [f32]),
        groups: &mut Vec<f32>,
        space: &mut Space,
    ) {
        let (lanes, heads) = (context.lanes, context.heads());
        self.heard_from.fill(lanes, stream, heads.width);
        gained(
            lanes,
            &self.heard_from.rows,
            &context.parameters[places.attention_norm.clone()],
            narrow,
        );
        product(lanes, &mut self.query_key_value, narrow, &packed.query_key_value[0], &[], groups);
        let window = heads.length * heads.width;
        let windows =
            self.query_key_value.chunks_exact(3 * window).zip(self.mixed.chunks_exact_mut(window));
        let chances = self.chances.chunks_exact_mut(heads.count * heads.length * heads.length);
        for ((query_key_value, mixed), chances) in windows.zip(chances) {
            space.forward(lanes, heads, query_key_value, chances, mixed);
        }
        product(lanes, narrow, &self.mixed, &packed.attention_output[0], &[], groups);
        add(lanes, stream, narrow);
    }

    /// What the perceptron adds to the stream.
    pub(super) fn perceive(
        &mut self,
        context: &Context,
        places: &BlockLayout,
        packed: &PackedBlock,
        (stream, narrow): (&mut [f32], &mut [f32]),
        groups: &mut Vec<f32>,
    ) {
        let lanes = context.lanes;
        self.read.fill(lanes, stream, context.layout.config.d_model);
        gained(lanes, &self.read.rows, &context.parameters[places.mlp_norm.clone()], narrow);
        product(lanes, &mut self.hidden, narrow, &packed.mlp_input[0], &[], groups);
        gelu(lanes, &self.hidden, &mut self.active);
        product(lanes, narrow, &self.active, &packed.mlp_output[0], &[], groups);
        add(lanes, stream, narrow);
    }

    fn back_from_added(
        &mut self,
        context: &Context,
        places: &BlockLayout,
        packed: &PackedBlock,
        (slopes, narrow): (&mut [f32], &mut [f32]),
        groups: &mut Vec<f32>,
    ) {
        let lanes = context.lanes;
        copy(&mut self.of_added, slopes);
        self.of_hidden.resize(self.hidden.len(), 0.0);
        product(lanes, &mut self.of_hidden, slopes, &packed.mlp_output[1], &[], groups);
        back_through_gelu(lanes, &self.hidden, &mut self.of_hidden);
        product(lanes, narrow, &self.of_hidden, &packed.mlp_input[1], &[], groups);
        let gain = &context.parameters[places.mlp_norm.clone()];
        zeros(&mut self.of_mlp_gain, gain.len());
        back_through_norm(lanes, narrow, self.read.both(), gain, slopes, &mut self.of_mlp_gain);
    }

    fn back_from_attended(
        &mut self,
        context: &Context,
        places: &BlockLayout,
        packed: &PackedBlock,
        (slopes, narrow): (&mut [f32], &mut [f32]),
        groups: &mut Vec<f32>,
        space: &mut Space,
    ) {
        let (lanes, heads) = (context.lanes, context.heads());
        copy(&mut self.of_attended, slopes);
        product(lanes, narrow, slopes, &packed.attention_output[1], &[], groups);
        self.of_query_key_value.resize(self.query_key_value.len(), 0.0);
        let window = heads.length * heads.width;
        let windows =
            self.query_key_value.chunks_exact(3 * window).zip(narrow.chunks_exact(window));
        let chances = self.chances.chunks_exact(heads.count * heads.length * heads.length);
        let of = self.of_query_key_value.chunks_exact_mut(3 * window);
        for (((query_key_value, of_mixed), chances), of) in windows.zip(chances).zip(of) {
            space.back(lanes, heads, query_key_value, chances, (of_mixed, of));
        }
        product(lanes, narrow, &self.of_query_key_value, &packed.query_key_value[1], &[], groups);
        let gain = &context.parameters[places.attention_norm.clone()];
        zeros(&mut self.of_attention_gain, gain.len());
        let of_gain = &mut self.of_attention_gain;
        back_through_norm(lanes, narrow, self.heard_from.both(), gain, slopes, of_gain);
    }
}

impl Context<'_> {
    fn heads(&self) -> Heads {
        let config = &self.layout.config;
        Heads { count: config.n_heads, length: self.length, width: config.d_model }
    }
}

fn zeros(values: &mut Vec<f32>, length: usize) {
    values.clear();
    values.resize(length, 0.0);
}

fn copy(to: &mut Vec<f32>, from: &[f32]) {
    to.clear();
    to.extend_from_slice(from);
}
