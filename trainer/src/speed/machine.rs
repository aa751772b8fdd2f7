//! What times were measured on.

use std::fs;
use std::thread;

/// The processor, how many threads compute, and the system.
pub fn describe() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model(&text));
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.into());
    let threads = rayon::current_num_threads();
    format!("{processor}, {cores} cores, {threads} threads, {}", std::env::consts::OS)
}

/// The processor's name in Linux' words.
fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_the_name_that_the_system_gives_it() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t: fpu\n";

        assert_eq!(model(text).as_deref(), Some("Some CPU @ 3 GHz"));
        assert_eq!(model("BogoMIPS: 50"), None);
    }
}
