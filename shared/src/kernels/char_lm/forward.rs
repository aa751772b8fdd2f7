//! The way forward alone: what a model makes of windows of a text, without what going back needs.

use std::ops::Range;

use super::attention::Space;
use super::curves::{gained, softmax_of};
use super::layout::Layout;
use super::part::{BlockRows, Context, Normed, PackedBlock, embed};
use crate::kernels::lanes::Lanes;
use crate::kernels::product::{Packed, product};
use crate::reading::Window;

/// So many rows are taken at once, or some more: few enough to stay near the processor.
const ROWS: usize = 192;

/// A model that reads windows of a text on one thread, as a browser has it.
#[derive(Clone, Debug)]
pub struct Forward {
    layout: Layout,
    parameters: Vec<f32>,
    packed: Vec<PackedBlock>,
    output: [Packed; 2],
}

impl Forward {
    /// The model with these `parameters`, which lie as `layout` says.
    pub fn new(layout: Layout, parameters: Vec<f32>) -> Self {
        let width = layout.config.d_model;
        let pack = |range: &Range<usize>, columns: usize| {
            let mut forward = Packed::default();
            forward.fill_columns_here(&[&parameters[range.clone()]], columns);
            [forward, Packed::default()]
        };
        let blocks = layout.blocks.iter().map(|places| PackedBlock {
            query_key_value: pack(&places.query_key_value, 3 * width),
            attention_output: pack(&places.attention_output, width),
            mlp_input: pack(&places.mlp_input, 4 * width),
            mlp_output: pack(&places.mlp_output, width),
        });
        let packed = blocks.collect();
        let mut output = [Packed::default(), Packed::default()];
        output[0].fill_here(&parameters[layout.tokens.clone()], width);
        Self { layout, parameters, packed, output }
    }

    /// The residual stream after `layer` blocks in each of the `windows` of a text, all of one length:
    /// `[windows, length, d_model]`. `ids` are the text's characters.
    pub fn activations(&self, ids: &[u32], windows: &[Window], layer: usize) -> Vec<f32> {
        let mut rows = Rows::default();
        let mut streams = vec![];
        for windows in windows.chunks(at_once(windows)) {
            let context = self.context(windows);
            let read = windows.iter().flat_map(|window| &ids[window.start..window.end]);
            embed(&context, &read.copied().collect::<Vec<u32>>(), &mut rows.stream);
            for number in 0..layer {
                rows.attend(&context, number);
                rows.perceive(&context, number);
            }
            streams.extend_from_slice(&rows.stream);
        }
        streams
    }

    /// With which chances each character of the vocabulary follows, by `streams` after `layer` blocks,
    /// `[windows, length, d_model]`: a row for each character that a window answers for,
    /// `[characters, vocab_size]`.
    pub fn chances(&self, streams: &[f32], windows: &[Window], layer: usize) -> Vec<f32> {
        let (mut chances, lanes) = (self.logits(streams, windows, layer), Lanes::new());
        let rows = chances.chunks_exact_mut(self.layout.config.vocab_size);
        rows.for_each(|row| softmax_of(lanes, row));
        chances
    }

    /// What [`chances`](Self::chances) are the softmax of, in the same shape.
    pub fn logits(&self, streams: &[f32], windows: &[Window], layer: usize) -> Vec<f32> {
        let (at_once, last) = (at_once(windows), self.layout.blocks.len());
        let size = streams.len() / windows.len().max(1) * at_once;
        let mut rows = Rows::default();
        let mut logits = vec![];
        for (windows, streams) in windows.chunks(at_once).zip(streams.chunks(size)) {
            let context = self.context(windows);
            rows.stream.clear();
            rows.stream.extend_from_slice(streams);
            for number in layer..last {
                rows.attend(&context, number);
                if number + 1 == last {
                    rows.keep_answers(windows);
                }
                rows.perceive(&context, number);
            }
            if layer == last {
                rows.keep_answers(windows);
            }
            rows.say(&context, &mut logits);
        }
        logits
    }

    fn context(&self, windows: &[Window]) -> Context<'_> {
        let Self { layout, parameters, packed, output } = self;
        Context { lanes: Lanes::new(), layout, parameters, packed, output, length: length(windows) }
    }
}

/// How long a window is; all are.
fn length(windows: &[Window]) -> usize {
    windows.first().map_or(1, |window| window.end - window.start)
}

/// How many windows are read at once.
fn at_once(windows: &[Window]) -> usize {
    ROWS.div_ceil(length(windows))
}

/// The rows of some windows on their way.
#[derive(Clone, Debug, Default)]
struct Rows {
    /// `[rows, d_model]`, as is `narrow`.
    stream: Vec<f32>,
    narrow: Vec<f32>,
    block: BlockRows,
    last: Normed,
    groups: Vec<f32>,
    space: Space,
}

impl Rows {
    fn attend(&mut self, context: &Context, number: usize) {
        self.resize(context);
        let Self { stream, narrow, block, groups, space, .. } = self;
        let (places, packed) = (&context.layout.blocks[number], &context.packed[number]);
        block.attend(context, places, packed, (stream, narrow), groups, space);
    }

    fn perceive(&mut self, context: &Context, number: usize) {
        self.resize(context);
        let Self { stream, narrow, block, groups, .. } = self;
        let (places, packed) = (&context.layout.blocks[number], &context.packed[number]);
        block.perceive(context, places, packed, (stream, narrow), groups);
    }

    fn resize(&mut self, context: &Context) {
        self.narrow.resize(self.stream.len(), 0.0);
        self.block.resize(context, self.stream.len() / context.layout.config.d_model);
    }

    /// Drops the rows that were only context. Nothing looks at them after the last attention.
    fn keep_answers(&mut self, windows: &[Window]) {
        let rows = windows.len() * length(windows);
        let width = self.stream.len() / rows;
        let mut kept = vec![];
        for (window, rows) in windows.iter().zip(self.stream.chunks(length(windows) * width)) {
            kept.extend_from_slice(&rows[(window.from - window.start) * width..]);
        }
        self.stream = kept;
    }

    /// Puts what follows from the rows behind `logits`.
    fn say(&mut self, context: &Context, logits: &mut Vec<f32>) {
        self.resize(context);
        let Context { lanes, layout, parameters, .. } = *context;
        let (width, vocab_size) = (layout.config.d_model, layout.config.vocab_size);
        self.last.fill(lanes, &self.stream, width);
        gained(lanes, &self.last.rows, &parameters[layout.final_norm.clone()], &mut self.narrow);
        let first = logits.len();
        logits.resize(first + self.stream.len() / width * vocab_size, 0.0);
        let logits = &mut logits[first..];
        product(lanes, logits, &self.narrow, &context.output[0], &[], &mut self.groups);
    }
}
