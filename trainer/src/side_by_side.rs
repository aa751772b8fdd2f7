//! Independent work on several cores: each piece on its own share of the threads, because two small
//! trainings side by side take less time than one after the other on twice the threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use burn::prelude::Device;
use shared::kernels::on_processor;

/// More pieces at once gain little, and each takes memory.
const MOST_AT_ONCE: usize = 16;

/// How many pieces of work `device` does at once: a graphics card one, the processor as many as it
/// has threads.
pub fn at_once(device: &Device) -> usize {
    match on_processor(device) {
        true => rayon::current_num_threads().min(MOST_AT_ONCE),
        false => 1,
    }
}

/// Does `work` for every job, `at_once` of them side by side. The results are in the order of the jobs.
///
/// # Errors
/// The first of the jobs' errors, in their order; after an error no further job is begun.
pub fn side_by_side<J: Sync, R: Send>(
    jobs: &[J],
    at_once: usize,
    work: impl Fn(&J) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let at_once = at_once.min(jobs.len());
    if at_once <= 1 {
        return jobs.iter().map(work).collect();
    }
    let threads = (rayon::current_num_threads() / at_once).max(1);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results: Vec<Mutex<Option<Result<R>>>> = jobs.iter().map(|_| Mutex::default()).collect();
    let worker = || -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        while !failed.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(place) else { break };
            let result = pool.install(|| work(job));
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            let mut known = results[place].lock().map_err(|error| anyhow!("{error}"))?;
            *known = Some(result);
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let all = results.into_iter().map(|result| result.into_inner().ok().flatten());
    // What was not begun comes after what has failed.
    all.map(|result| result.context("a piece of work was not begun")?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..20).collect();
        let slow_first = |job: &u64| {
            thread::sleep(std::time::Duration::from_millis(20 - job));
            Ok(job * job)
        };

        for at_once in [0, 1, 3, 40] {
            let squares = side_by_side(&jobs, at_once, slow_first).unwrap();
            assert_eq!(squares, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        }
    }

    #[test]
    fn several_are_at_work_at_once_each_with_its_share_of_the_threads() {
        let most = AtomicUsize::new(0);
        let (busy, together) = (AtomicUsize::new(0), std::sync::Barrier::new(2));
        let threads = rayon::current_num_threads();

        let shares = side_by_side(&[(), ()], 2, |()| {
            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            together.wait();
            busy.fetch_sub(1, Ordering::SeqCst);
            Ok(rayon::current_num_threads())
        });

        assert_eq!(most.into_inner(), 2);
        assert_eq!(shares.unwrap(), [(threads / 2).max(1); 2]);
    }

    #[test]
    fn after_an_error_nothing_is_begun_and_the_error_is_told() {
        let begun = AtomicUsize::new(0);
        let jobs: Vec<usize> = (0..1_000).collect();

        let result = side_by_side(&jobs, 2, |job| {
            begun.fetch_add(1, Ordering::SeqCst);
            if *job == 3 {
                bail!("the disk is full")
            }
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        });

        assert_eq!(result.unwrap_err().to_string(), "the disk is full");
        assert!(begun.into_inner() < 100);
    }
}
