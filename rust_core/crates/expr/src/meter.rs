//! What a run may take of time, memory and native work, and the allocator that asks on QuickJS's behalf.
//!
//! QuickJS asks its interrupt handler only once in ten thousand calls and jumps, which is seldom where each of them
//! works on megabytes. Whatever makes something large must allocate it, so the allocator looks at the clock too.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use rquickjs::allocator::{Allocator, RustAllocator};

use crate::engine::Limits;

/// Allocations from this size on are refused when the run is over; smaller ones hold the error that says so.
const LARGE: usize = 8 << 10;

/// Allocations that may pass between two looks at the clock.
const UNSEEN: u32 = 64;

/// Memory above the limit in which an error can still be made.
const RESERVE: usize = 256 << 10;

const IDLE: u64 = u64::MAX;

/// The limits of the run that is going on, and how much of them is spent.
pub(crate) struct Meter {
    started: Instant,
    /// Nanoseconds after `started`; `IDLE` between runs.
    deadline: AtomicU64,
    /// Nanoseconds that the time limit allows, if they are the processor's and not the wall clock's; else 0.
    share: AtomicU64,
    /// What the thread had of the processor when the wall clock first said that time was over; 0 before.
    mark: AtomicU64,
    late: AtomicBool,
    /// Something was refused to a run that was late.
    refused: AtomicBool,
    used: AtomicUsize,
    ceiling: AtomicUsize,
    largest: AtomicUsize,
    crowded: AtomicBool,
    steps: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            deadline: AtomicU64::new(IDLE),
            share: AtomicU64::new(0),
            mark: AtomicU64::new(0),
            late: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            used: AtomicUsize::new(0),
            ceiling: AtomicUsize::new(usize::MAX),
            largest: AtomicUsize::new(usize::MAX),
            crowded: AtomicBool::new(false),
            steps: AtomicU64::new(u64::MAX),
        }
    }
}

impl Meter {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(IDLE)
    }

    /// Begin a run.
    pub fn begin(&self, limits: &Limits) {
        let time = u64::try_from(limits.time.as_nanos()).unwrap_or(IDLE);
        self.share.store(if limits.fair { time } else { 0 }, Relaxed);
        self.mark.store(0, Relaxed);
        self.late.store(false, Relaxed);
        self.refused.store(false, Relaxed);
        self.crowded.store(false, Relaxed);
        self.ceiling.store(self.used.load(Relaxed).saturating_add(limits.memory), Relaxed);
        self.largest.store(limits.allocation, Relaxed);
        self.steps.store(limits.steps, Relaxed);
        self.deadline.store(self.elapsed().saturating_add(time).min(IDLE - 1), Relaxed);
    }

    /// End the run: no limit holds until the next begins.
    pub fn end(&self) {
        self.deadline.store(IDLE, Relaxed);
        self.ceiling.store(usize::MAX, Relaxed);
        self.largest.store(usize::MAX, Relaxed);
    }

    /// End the run's time, if a run is going on.
    pub fn stop(&self) {
        let running = |deadline| (deadline != IDLE).then_some(0);
        let _ = self.deadline.fetch_update(Relaxed, Relaxed, running);
    }

    /// Whether the run must stop.
    pub fn is_over(&self) -> bool {
        let deadline = self.deadline.load(Relaxed);
        if deadline == IDLE {
            return false;
        }
        let late = deadline == 0 || (self.elapsed() > deadline && !self.was_kept_waiting());
        if late {
            self.late.store(true, Relaxed);
        }
        late
    }

    /// Whether others had the processor while the time went by: then the run gets its share.
    ///
    /// The thread's own time takes long to ask for, so it is not looked at before the wall clock says that time is over.
    fn was_kept_waiting(&self) -> bool {
        let share = self.share.load(Relaxed);
        if share == 0 {
            return false;
        }
        let now = thread_time();
        let mark = self.mark.load(Relaxed);
        let had = if mark == 0 { 0 } else { now.saturating_sub(mark) };
        if mark == 0 {
            self.mark.store(now.max(1), Relaxed);
        }
        let left = share.saturating_sub(had);
        self.deadline.store(self.elapsed().saturating_add(left), Relaxed);
        left > 0
    }

    /// Take note of native work; whether the run must stop instead of doing it.
    pub fn charge(&self, steps: u64) -> bool {
        let left = self.steps.load(Relaxed);
        if left < steps {
            self.stop();
        } else {
            self.steps.store(left - steps, Relaxed);
        }
        self.is_over()
    }

    /// Count memory. A load and a store: an engine is one thread's at a time, and adding in one step, which would be
    /// right with several, takes five times as long, for each of QuickJS's many small blocks.
    fn took(&self, size: usize) {
        self.used.store(self.used.load(Relaxed).wrapping_add(size), Relaxed);
    }

    /// Count memory that is free again.
    fn gave_back(&self, size: usize) {
        self.used.store(self.used.load(Relaxed).wrapping_sub(size), Relaxed);
    }

    /// Whether the run was stopped for its time or its work.
    pub fn was_late(&self) -> bool {
        self.late.load(Relaxed)
    }

    /// Whether something was refused to the run, so that a value it gave all the same is not to be trusted.
    pub fn has_refused(&self) -> bool {
        self.refused.load(Relaxed) || self.was_crowded()
    }

    /// Whether the run was stopped for its memory.
    pub fn was_crowded(&self) -> bool {
        self.crowded.load(Relaxed)
    }

    /// Whether `more` bytes in one block of `size` are refused.
    fn refuses(&self, size: usize, more: usize) -> bool {
        if self.deadline.load(Relaxed) == IDLE {
            return false;
        }
        let ceiling = self.ceiling.load(Relaxed);
        let total = self.used.load(Relaxed).saturating_add(more);
        if total > ceiling || size > self.largest.load(Relaxed) {
            self.crowded.store(true, Relaxed);
            self.stop();
            return size >= LARGE || total > ceiling.saturating_add(RESERVE);
        }
        let refused = size >= LARGE && self.is_over();
        if refused {
            self.refused.store(true, Relaxed);
        }
        refused
    }
}

/// Nanoseconds of the processor that this thread has had.
fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or_default().saturating_mul(1_000_000_000).saturating_add(nanoseconds.unwrap_or_default())
}

/// QuickJS's allocator: counts, and refuses what a run may not have.
pub(crate) struct Metered {
    meter: std::sync::Arc<Meter>,
    unseen: u32,
}

impl Metered {
    pub fn new(meter: std::sync::Arc<Meter>) -> Self {
        Self { meter, unseen: 0 }
    }

    fn refuses(&mut self, size: usize, more: usize) -> bool {
        self.unseen += 1;
        if self.unseen >= UNSEEN {
            self.unseen = 0;
            self.meter.is_over();
        }
        self.meter.refuses(size, more)
    }

    fn count(&self, block: *mut u8) -> *mut u8 {
        if !block.is_null() {
            // SAFETY: the block was made by `RustAllocator` right before.
            #[allow(unsafe_code, reason = "the interface of allocators is unsafe")]
            let size = unsafe { RustAllocator::usable_size(block) };
            self.meter.took(size);
        }
        block
    }
}

// SAFETY: every block comes from `RustAllocator` and goes back to it unchanged; refusing gives null, as allowed.
#[allow(unsafe_code, reason = "the interface of allocators is unsafe; see above")]
unsafe impl Allocator for Metered {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        if self.refuses(size, size) {
            return std::ptr::null_mut();
        }
        let block = RustAllocator.alloc(size);
        self.count(block)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let Some(total) = count.checked_mul(size) else { return std::ptr::null_mut() };
        if self.refuses(total, total) {
            return std::ptr::null_mut();
        }
        let block = RustAllocator.calloc(count, size);
        self.count(block)
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        // SAFETY: the caller's promise is that of `RustAllocator`.
        unsafe {
            self.meter.gave_back(RustAllocator::usable_size(block));
            RustAllocator.dealloc(block);
        }
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is that of `RustAllocator`.
        unsafe {
            let before = if block.is_null() { 0 } else { RustAllocator::usable_size(block) };
            if size > before && self.refuses(size, size - before) {
                return std::ptr::null_mut();
            }
            let moved = if block.is_null() { RustAllocator.alloc(size) } else { RustAllocator.realloc(block, size) };
            if !moved.is_null() {
                self.meter.gave_back(before);
            }
            self.count(moved)
        }
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: the caller's promise is that of `RustAllocator`.
        unsafe { RustAllocator::usable_size(block) }
    }
}
