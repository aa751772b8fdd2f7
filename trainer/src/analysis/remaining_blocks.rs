//! The blocks of a language model behind the layer that is explained, and what they say: by kernels on
//! the processor, by tensors elsewhere.

use burn::prelude::*;
use rayon::prelude::*;
use shared::CharLm;
use shared::kernels::char_lm::{Forward, Layout};
use shared::kernels::on_processor;
use shared::reading::Window;
use shared::weights::{WeightsError, to_vec};

/// How many windows one thread takes at once.
const WINDOWS_A_THREAD: usize = 6;
/// How many streams a graphics card takes at once.
const STREAMS_AT_ONCE: usize = 64;

/// A language model from its layer on.
#[derive(Clone, Debug)]
pub struct RemainingBlocks<'a> {
    lm: &'a CharLm,
    layer: usize,
    kernels: Option<Forward>,
}

impl<'a> RemainingBlocks<'a> {
    /// What follows after `layer` blocks.
    ///
    /// # Errors
    /// The model's tensors do not fit one another.
    pub fn of(lm: &'a CharLm, layer: usize) -> Result<Self, WeightsError> {
        let kernels = match on_processor(&lm.token_embedding.val().device()) {
            true => {
                let (layout, parameters) = Layout::of(lm)?;
                Some(Forward::new(layout, parameters))
            }
            false => None,
        };
        Ok(Self { lm, layer, kernels })
    }

    /// How many characters there are.
    pub fn vocab_size(&self) -> usize {
        self.lm.token_embedding.val().dims()[0]
    }

    /// The logits of the characters after the places `from..` of each of the `streams`,
    /// `[windows, length, d_model]`: `[windows * (length - from), vocab_size]`.
    pub fn logits(&self, streams: Tensor<3>, from: usize) -> Vec<f32> {
        let [windows, length, d_model] = streams.dims();
        let Some(kernels) = &self.kernels else {
            let logits = self.lm.logits_from(streams, self.layer);
            return to_vec(logits.narrow(1, from, length - from));
        };
        let windows = vec![Window { start: 0, from, end: length }; windows];
        let streams = to_vec(streams);
        let parts = streams.par_chunks(WINDOWS_A_THREAD * length * d_model);
        let parts: Vec<Vec<f32>> = parts
            .zip(windows.par_chunks(WINDOWS_A_THREAD))
            .map(|(streams, windows)| kernels.logits(streams, windows, self.layer))
            .collect();
        parts.concat()
    }

    /// [`Self::logits`] of each of these streams from a place on, one behind the other.
    pub fn logits_of_each(&self, streams: &[(Tensor<3>, usize)]) -> Vec<f32> {
        let all: Vec<Vec<f32>> = match self.kernels {
            Some(_) => {
                let logits =
                    |(streams, from): &(Tensor<3>, usize)| self.logits(streams.clone(), *from);
                streams.par_iter().map(logits).collect()
            }
            None => streams.chunks(STREAMS_AT_ONCE).map(|some| self.side_by_side(some)).collect(),
        };
        all.concat()
    }

    /// The same by tensors, all as long as the longest: no place hears what comes after it.
    fn side_by_side(&self, streams: &[(Tensor<3>, usize)]) -> Vec<f32> {
        let lengths = streams.iter().map(|(streams, _)| streams.dims()[1]);
        let longest = lengths.max().unwrap_or(0);
        let filled = streams.iter().map(|(streams, _)| {
            let [windows, length, d_model] = streams.dims();
            let rest = Tensor::zeros([windows, longest - length, d_model], &streams.device());
            Tensor::cat(vec![streams.clone(), rest], 1)
        });
        let logits = to_vec(self.lm.logits_from(Tensor::cat(filled.collect(), 0), self.layer));
        let mut windows = logits.chunks_exact(longest * self.vocab_size());
        let mut kept = vec![];
        for (streams, from) in streams {
            let [count, length, _] = streams.dims();
            let places = from * self.vocab_size()..length * self.vocab_size();
            windows.by_ref().take(count).for_each(|window| kept.extend(&window[places.clone()]));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{CharLmConfig, random};

    #[test]
    fn kernels_say_what_tensors_say() {
        let device = Device::flex();
        let config = CharLmConfig::new(5).with_n_layers(3).with_n_heads(2).with_d_model(8);
        let lm = config.with_block_size(8).init(4, &device);
        let values = random::normal(&mut random::stream(5, "test"), 20 * 6 * 8, 3.0);
        let streams = Tensor::<3>::from_data(TensorData::new(values, [20, 6, 8]), &device);

        let by_kernels = RemainingBlocks::of(&lm, 1).unwrap();
        let by_tensors = RemainingBlocks { kernels: None, ..by_kernels.clone() };
        assert!(by_kernels.kernels.is_some());
        let [one, other] = [&by_kernels, &by_tensors].map(|it| it.logits(streams.clone(), 4));

        assert_eq!((one.len(), other.len()), (20 * 2 * 5, 20 * 2 * 5));
        let apart = one.iter().zip(&other).map(|(one, other)| (one - other).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-5);
        let most = one.iter().copied().fold(0.0, f32::max);
        assert!(most > 1e-2, "so small that nothing is compared: {most}");

        // Streams of other lengths, as much of the same windows.
        let short = streams.clone().narrow(0, 0, 2).narrow(1, 0, 5);
        let some = [(short, 4), (streams.clone().narrow(0, 2, 3), 5)];
        let [kernels, tensors] = [&by_kernels, &by_tensors].map(|it| it.logits_of_each(&some));
        let expected: Vec<f32> = one
            .chunks_exact(2 * 5)
            .take(5)
            .enumerate()
            .flat_map(|(at, both)| if at < 2 { both[..5].to_vec() } else { both[5..].to_vec() })
            .collect();
        for said in [kernels, tensors] {
            let apart = said.iter().zip(&expected).map(|(one, other)| (one - other).abs());
            assert!(said.len() == 25 && apart.fold(0.0, f32::max) < 1e-5);
        }
    }
}
