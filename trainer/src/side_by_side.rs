//! Independent work on several cores: each piece on its own share of the threads, because two small
//! trainings side by side take less time than one after the other on twice the threads. The fewer
//! are left to begin, the more threads each gets.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;
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

/// What threads share, one at a time. Nothing is left half done by a thread that panics.
pub fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
    let all = rayon::current_num_threads();
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || -> Result<Vec<(usize, Result<R>)>> {
        let _end = End(&stopped);
        let mut done = vec![];
        while !stopped.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(place) else { break };
            let threads = share(all, at_once, place, jobs.len());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let result = pool.install(|| work(job));
            let has_failed = result.is_err();
            done.push((place, result));
            if has_failed {
                break;
            }
        }
        Ok(done)
    };
    let mut done = thread::scope(|scope| -> Result<Vec<_>> {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        let mut done = vec![];
        for worker in workers {
            done.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(done)
    })?;
    // A job that was not begun has a failed one before it.
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// On how many of `all` threads the job at `place` of `count` is done, `at_once` of them side by
/// side. It is the same in each run, whichever job ends first; for a while the last jobs may have
/// more threads together than there are.
fn share(all: usize, at_once: usize, place: usize, count: usize) -> usize {
    let beside = if place < at_once { at_once } else { at_once.min(count - place) };
    (all / beside).max(1)
}

/// A worker ends, for want of jobs, at an error or in a panic: the others begin no further job.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
    fn the_last_jobs_have_more_threads() {
        let shares: Vec<usize> = (0..6).map(|place| share(4, 4, place, 6)).collect();

        assert_eq!(shares, [1, 1, 1, 1, 2, 4]);
        assert_eq!([0, 1, 2].map(|place| share(2, 2, place, 3)), [1, 1, 2]);
        assert_eq!([0, 1].map(|place| share(3, 2, place, 2)), [1, 1]);
        assert_eq!(share(1, 2, 5, 6), 1);
    }

    #[test]
    fn after_a_panic_nothing_is_begun_and_it_goes_on() {
        let begun = AtomicUsize::new(0);
        let jobs: Vec<usize> = (0..1_000).collect();
        let work = |job: &usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            assert!(*job != 3, "a mistake");
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        };

        let all = std::panic::AssertUnwindSafe(|| side_by_side(&jobs, 2, work));

        assert!(std::panic::catch_unwind(all).is_err());
        assert!(begun.into_inner() < 100);
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
