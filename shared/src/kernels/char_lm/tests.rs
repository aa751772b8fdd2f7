use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::{Layout, Step, Writer};
use crate::kernels::adam::{AdamRates, adam};
use crate::weights::{self, Weight, Weights, to_vec};
use crate::{CharLm, CharLmConfig, random};

fn config() -> CharLmConfig {
    CharLmConfig::new(11).with_n_layers(2).with_n_heads(2).with_d_model(24).with_block_size(10)
}

/// A model whose weights are large enough that attention and GELU are anything but linear.
fn model(config: &CharLmConfig, device: &Device) -> CharLm {
    let model = config.init(3, device);
    let mut all = weights::of(&model);
    for (name, weight) in &mut all {
        let mut noise = random::stream(5, name);
        let noise = random::normal(&mut noise, weight.values.len(), 0.3);
        weight.values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
    }
    weights::load(model, &all).unwrap()
}

/// `windows` windows of `length` and the characters after each of theirs.
fn text(config: &CharLmConfig, windows: usize, length: usize) -> [Vec<u32>; 2] {
    let id = |place: usize| ((place * place * 7 + place * 3) % config.vocab_size) as u32;
    [(0..windows * length).map(id).collect(), (1..=windows * length).map(id).collect()]
}

/// The loss and its gradient by tensors and autodiff, each character as heavy as is said.
fn by_tensors(
    model: &CharLm,
    text: &[Vec<u32>; 2],
    heavy: &[f32],
    length: usize,
) -> (f64, Weights) {
    let device = model.token_embedding.val().device();
    let windows = text[0].len() / length;
    let ids = |which: &[u32], shape: [usize; 2]| {
        let ids: Vec<i32> = which.iter().map(|id| *id as i32).collect();
        Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device)
    };
    let logits = model.logits(ids(&text[0], [windows, length]));
    let [_, _, vocab_size] = logits.dims();
    let logits = log_softmax(logits.reshape([windows * length, vocab_size]), 1);
    let losses = logits.gather(1, ids(&text[1], [windows * length, 1])).neg();
    let heavy = Tensor::<2>::from_data(TensorData::new(heavy.to_vec(), losses.dims()), &device);
    let loss = (losses * heavy.clone()).sum() / heavy.sum();
    let number = f64::from(loss.clone().into_scalar::<f32>());
    let gradients = loss.backward();
    let mut named = weights::of(model);
    let mut gather = Gather { gradients, named: &mut named, path: vec![] };
    burn::module::Module::visit(model, &mut gather);
    (number, named)
}

struct Gather<'a> {
    gradients: burn::tensor::Gradients,
    named: &'a mut Weights,
    path: Vec<String>,
}

impl burn::module::ModuleVisitor for Gather<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
        let gradient = param.val().grad(&self.gradients).unwrap();
        let weight = Weight { shape: gradient.dims().to_vec(), values: to_vec(gradient) };
        self.named.insert(self.path.join("."), weight);
    }
}

#[test]
fn loss_and_gradient_are_those_of_the_tensors() {
    let device = Device::flex().autodiff();
    // One part and several, whole blocks and shorter windows, a width that fills no register.
    for (config, windows, length) in [
        (config(), 3, 10),
        (config(), 50, 7),
        (CharLmConfig { d_model: 20, n_heads: 4, ..config() }, 2, 10),
    ] {
        let model = model(&config, &device);
        let text = text(&config, windows, length);
        let layout = Layout::new(&config);
        let parameters = layout.read(&weights::of(&model)).unwrap();
        let alike = vec![1.0; text[0].len()];
        let uneven: Vec<f32> = (0..text[0].len()).map(|place| (place % 4) as f32).collect();
        for heavy in [&alike, &uneven] {
            let (expected, gradient) = by_tensors(&model, &text, heavy, length);
            let mut step = Step::default();

            let loss = step.run(&layout, &parameters, [&text[0], &text[1]], heavy, length);

            assert!((loss - expected).abs() < 1e-5 * expected, "{loss} {expected}");
            let plain = step.loss(&layout, &parameters, [&text[0], &text[1]], length);
            assert_eq!(plain == loss, *heavy == alike, "{plain} {loss}");
            for (name, found) in layout.weights(&step.gradient) {
                let expected = &gradient[&name].values;
                let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
                assert!(largest > 0.0, "{name}");
                for (one, other) in found.values.iter().zip(expected) {
                    let bound = 1e-5 * largest.max(0.01);
                    assert!((one - other).abs() < bound, "{name}: {one} {other}");
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let config = config();
    let layout = Layout::new(&config);
    let model = model(&config, &Device::flex());
    let parameters = layout.read(&weights::of(&model)).unwrap();
    let text = text(&config, 60, 10);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut step = Step::default();
            let loss = step.run(&layout, &parameters, [&text[0], &text[1]], &[1.0; 600], 10);
            (loss, step.gradient)
        })
    };

    assert_eq!(with(1), with(3));
}

#[test]
fn parameters_keep_their_names_and_foreign_ones_are_refused() {
    let config = config();
    let layout = Layout::new(&config);
    let mut all = weights::of(&model(&config, &Device::flex()));

    assert_eq!(layout.weights(&layout.read(&all).unwrap()), all);

    all.remove("blocks.1.mlp_input");
    assert!(layout.read(&all).unwrap_err().to_string().contains("blocks.1.mlp_input"));
}

#[test]
fn a_writer_says_what_the_model_says_of_the_text_so_far() {
    let device = Device::flex();
    let config = config();
    let model = model(&config, &device);
    let layout = Layout::new(&config);
    let parameters = layout.read(&weights::of(&model)).unwrap();
    let [text, _] = text(&config, 3, 10);
    let mut writer = Writer::new(&layout, &parameters);
    let mut start = 0;

    for (place, id) in text.iter().enumerate() {
        let logits = writer.read(*id).to_vec();
        if place - start == config.block_size {
            start += config.block_size - config.block_size / 2;
        }
        let known: Vec<i32> = text[start..=place].iter().map(|id| *id as i32).collect();
        let ids =
            Tensor::<2, Int>::from_data(TensorData::new(known.clone(), [1, known.len()]), &device);
        let expected = to_vec(model.logits(ids).narrow(1, known.len() - 1, 1));
        for (one, other) in logits.iter().zip(&expected) {
            assert!((one - other).abs() < 1e-4 * other.abs().max(1.0), "{place}: {one} {other}");
        }
    }
}

#[test]
#[ignore = "measures, proves nothing"]
fn how_long_a_step_takes() {
    let config = CharLmConfig::new(65);
    let layout = Layout::new(&config);
    let parameters = layout.read(&weights::of(&config.init(1, &Device::flex()))).unwrap();
    let text = text(&config, 12, 64);
    let text = [&text[0][..], &text[1]];
    let alike = vec![1.0; text[0].len()];
    let mut step = Step::default();
    let mut time = |what: &dyn Fn(&mut Step) -> f64| {
        let mut times: Vec<_> = (0..60)
            .map(|_| {
                let started = std::time::Instant::now();
                assert!(what(&mut step) > 0.0);
                started.elapsed()
            })
            .collect();
        times.sort();
        [times[6], times[30]]
    };
    let (decay, shorten) = (0.1, 0.5);
    let rates =
        AdamRates { rate: 1e-3, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, time: 1, decay, shorten };
    let moved =
        std::cell::RefCell::new([parameters.clone(), parameters.clone(), parameters.clone()]);
    let learn = |step: &mut Step| {
        let [parameters, first, second] = &mut *moved.borrow_mut();
        let loss = step.run(&layout, parameters, text, &alike, 64);
        adam(&rates, parameters, &step.gradient, first, second);
        loss
    };
    for round in 0..3 {
        println!(
            "round {round}, tenth and median: loss {:?}, with gradient {:?}, and AdamW {:?}",
            time(&|step| step.loss(&layout, &parameters, text, 64)),
            time(&|step| step.run(&layout, &parameters, text, &alike, 64)),
            time(&learn),
        );
    }
    let mut writer = Writer::new(&layout, &parameters);
    let started = std::time::Instant::now();
    (0..2_000).for_each(|place| drop(writer.read(place % 65).to_vec()));
    println!("{:.0} characters a second", 2_000.0 / started.elapsed().as_secs_f64());
}
