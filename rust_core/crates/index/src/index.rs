//! The index in its folder: one writer at a time, any number of readers in any number of processes.
//!
//! A batch is a record of the log, flushed before it is acknowledged. When the log has grown, what it holds becomes a
//! segment, a new manifest names that and a new log, and the old log goes. Every commit takes the folder's lock, sees to
//! what others wrote, writes, and lets go of it; a dead writer's lock goes with it. Readers take no lock: they look
//! whether there is another manifest and whether the log has grown, which are two questions to the file system.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::bits::Bits;
use crate::document::Document;
use crate::error::{At, Error, Result};
use crate::log::{self, Batch};
use crate::manifest::{
    Manifest, Part, Stamp, copy_private, create_private, create_private_folder, log_path, segment_path, sync_folder,
};
use crate::map::Bytes;
use crate::segment::Segment;
use crate::state::{Shelf, State, join};
use crate::vectors;

/// When what the log holds becomes a segment, and when segments are joined.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Documents in memory.
    pub documents: usize,
    /// Bytes of the log.
    pub log: u64,
    /// Segments of like size that are joined into one.
    pub fan: usize,
    /// Documents of a segment that is joined with others no more.
    pub largest: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { documents: 8_192, log: 64 << 20, fan: 8, largest: 1 << 16 }
    }
}

/// What an index is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Documents that can be found.
    pub documents: usize,
    /// The length of the vectors, 0 as long as there is none.
    pub width: usize,
    /// Segments in files.
    pub segments: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Documents that are in the log only.
    pub in_log: usize,
}

struct Disk {
    manifest: Manifest,
    /// Of the manifest's file, from before it was read.
    stamp: Option<Stamp>,
    /// Where the log's records end that the state holds.
    end: u64,
}

/// A handle on an index; for all threads.
pub struct Index {
    folder: PathBuf,
    limits: Limits,
    disk: Mutex<Disk>,
    state: RwLock<Arc<State>>,
}

impl Index {
    /// Open the index of a folder, or begin one there if `create`. Fails with `Missing`.
    pub fn open(folder: &Path, create: bool, limits: Limits) -> Result<Self> {
        if create && matches!(Manifest::read(folder), Err(Error::Missing)) {
            create_private_folder(folder, true).at(folder)?;
            let _lock = lock(folder, Duration::from_secs(10))?;
            // Somebody may have been faster.
            if matches!(Manifest::read(folder), Err(Error::Missing)) {
                log::create(&log_path(folder, 1))?;
                Manifest { next: 2, log: 1, width: 0, segments: Vec::new() }.write(folder)?;
            }
        }
        let (disk, state) = load(folder, &State::default())?;
        let state = RwLock::new(Arc::new(state));
        Ok(Self { folder: folder.to_owned(), limits, disk: Mutex::new(disk), state })
    }

    /// What is there now, others' changes included: a state that does not change while it is looked at.
    pub fn state(&self) -> Result<Arc<State>> {
        // Where a thread of this process is at it, the state before is as good.
        if let Ok(mut disk) = self.disk.try_lock() {
            self.refresh(&mut disk)?;
        }
        Ok(self.state.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn publish(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    fn seen(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Take over what others have written.
    fn refresh(&self, disk: &mut Disk) -> Result<()> {
        let path = log_path(&self.folder, disk.manifest.log);
        // A log that could not be removed when its time was over grows no more: the manifest tells.
        let same = Stamp::of(&self.folder) == disk.stamp;
        let grown = match fs::metadata(&path) {
            Ok(about) if same && about.len() == disk.end => return Ok(()),
            Ok(about) => same && about.len() > disk.end,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error).at(&path),
        };
        if grown {
            match log::read(&path, disk.end) {
                Ok((batches, end)) => {
                    if !batches.is_empty() {
                        self.publish(self.seen().after(&Batch::folded(batches))?.0);
                    }
                    disk.end = end;
                    return Ok(());
                }
                Err(Error::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => (),
                Err(error) => return Err(error),
            }
        }
        let (fresh, state) = load(&self.folder, &self.seen())?;
        *disk = fresh;
        self.publish(state);
        Ok(())
    }

    /// Write a batch; when this returns it is there for good. Gives how many documents its deletes took out.
    ///
    /// Waits for other writers for as long as told, then fails with `Locked`. Of documents with the same id the last
    /// one counts; a vector is stored with length 1.
    pub fn commit(&self, mut batch: Batch, wait: Duration) -> Result<usize> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = lock(&self.folder, wait)?;
        self.catch_up(&mut disk)?;
        let state = self.seen();
        prepare(&mut batch, state.width)?;
        if batch.upserts.is_empty() && batch.deletes.is_empty() {
            return Ok(0);
        }
        let (next, deleted) = state.after(&batch)?;
        disk.end = log::append(&log_path(&self.folder, disk.manifest.log), disk.end, &batch)?;
        self.publish(next);
        let in_memory = |shelf: &&Shelf| shelf.number.is_none();
        let pending: usize = self.seen().shelves.iter().filter(in_memory).map(|shelf| shelf.live_documents).sum();
        if pending >= self.limits.documents || disk.end >= self.limits.log {
            // The batch is there for good, whatever comes of this; the next commit tries again, on what the folder says.
            let _ = self.settle(&mut disk, false);
        }
        Ok(deleted)
    }

    /// With the lock held: see what is there, even where a crash left a log behind that the manifest names no more.
    fn catch_up(&self, disk: &mut Disk) -> Result<()> {
        if Manifest::read(&self.folder)? == disk.manifest {
            return self.refresh(disk);
        }
        let (fresh, state) = load(&self.folder, &self.seen())?;
        *disk = fresh;
        self.publish(state);
        Ok(())
    }

    /// Put what the log holds into a segment and join what is due, or everything.
    fn settle(&self, disk: &mut Disk, everything: bool) -> Result<()> {
        let mut state = (*self.seen()).clone();
        let (mut kept, fresh): (Vec<Shelf>, Vec<Shelf>) =
            state.shelves.drain(..).partition(|shelf| shelf.number.is_some());
        let mut next = disk.manifest.next;
        kept.retain(|shelf| shelf.live_documents > 0);
        if fresh.iter().any(|shelf| shelf.live_documents > 0) {
            kept.push(self.write_segment(&fresh.iter().collect::<Vec<_>>(), state.width, next)?);
            next += 1;
        }
        while let Some(chosen) = due(&kept, &self.limits, everything) {
            let (joined, others): (Vec<_>, Vec<_>) =
                kept.into_iter().enumerate().partition(|(place, _)| chosen.contains(place));
            let joined: Vec<&Shelf> = joined.iter().map(|(_, shelf)| shelf).collect();
            let made = self.write_segment(&joined, state.width, next)?;
            next += 1;
            kept = others.into_iter().map(|(_, shelf)| shelf).collect();
            kept.push(made);
        }
        log::create(&log_path(&self.folder, next))?;
        let segments = kept.iter().filter_map(|shelf| {
            let number = shelf.number?;
            Some(Part { number, documents: shelf.segment.documents(), live: (*shelf.live).clone() })
        });
        let manifest = Manifest { next: next + 1, log: next, width: state.width, segments: segments.collect() };
        manifest.write(&self.folder)?;
        let stamp = Stamp::of(&self.folder);
        state.shelves = kept;
        self.publish(state);
        manifest.sweep(&self.folder);
        *disk = Disk { manifest, stamp, end: log::read(&log_path(&self.folder, next), 0)?.1 };
        Ok(())
    }

    fn write_segment(&self, shelves: &[&Shelf], width: usize, number: u64) -> Result<Shelf> {
        let path = segment_path(&self.folder, number);
        let file = create_private(&path).at(&path)?;
        let mut out = BufWriter::new(&file);
        join(shelves, width)?.write(&mut out).at(&path)?;
        out.flush().at(&path)?;
        file.sync_all().at(&path)?;
        let segment = Segment::open(Bytes::map(&path)?)?;
        let live = Bits::all(segment.documents());
        Ok(Shelf::new(segment, Some(number), live))
    }

    /// Put everything into one segment without what was deleted.
    pub fn compact(&self, wait: Duration) -> Result<()> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = lock(&self.folder, wait)?;
        self.catch_up(&mut disk)?;
        self.settle(&mut disk, true)
    }

    /// Make a copy in a folder that is not there yet, as of now. Segments are linked where the file system can.
    pub fn snapshot(&self, target: &Path, wait: Duration) -> Result<()> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = lock(&self.folder, wait)?;
        self.catch_up(&mut disk)?;
        if let Some(parent) = target.parent() {
            create_private_folder(parent, true).at(parent)?;
        }
        create_private_folder(target, false).at(target)?;
        for part in &disk.manifest.segments {
            let (from, to) = (segment_path(&self.folder, part.number), segment_path(target, part.number));
            if fs::hard_link(&from, &to).is_err() {
                copy_private(&from, &to)?;
            }
        }
        let (from, to) = (log_path(&self.folder, disk.manifest.log), log_path(target, disk.manifest.log));
        copy_private(&from, &to)?;
        disk.manifest.write(target)?;
        target.parent().map_or(Ok(()), sync_folder)
    }

    /// Read every byte and compare it with its checksum. Fails with `Corrupt`.
    pub fn verify(&self) -> Result<()> {
        self.state()?.shelves.iter().try_for_each(|shelf| shelf.segment.verify())
    }

    /// Sizes.
    pub fn stats(&self) -> Result<Stats> {
        let state = self.state()?;
        let files = fs::read_dir(&self.folder).at(&self.folder)?;
        let bytes = files.flatten().filter_map(|entry| entry.metadata().ok()).map(|about| about.len()).sum();
        let in_log =
            state.shelves.iter().filter(|shelf| shelf.number.is_none()).map(|shelf| shelf.live_documents).sum();
        let segments = state.shelves.iter().filter(|shelf| shelf.number.is_some()).count();
        Ok(Stats { documents: state.documents(), width: state.width, segments, bytes, in_log })
    }
}

/// What a folder holds; segments that are open already are not opened again.
fn load(folder: &Path, known: &State) -> Result<(Disk, State)> {
    let mut tries = 0;
    loop {
        match load_once(folder, known) {
            // A writer was faster and has removed what the manifest named: there is a new one.
            Err(Error::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound && tries < 100 => tries += 1,
            other => return other,
        }
    }
}

fn load_once(folder: &Path, known: &State) -> Result<(Disk, State)> {
    let stamp = Stamp::of(folder);
    let manifest = Manifest::read(folder)?;
    let mut state = State { shelves: Vec::new(), width: manifest.width };
    for part in &manifest.segments {
        let open = known.shelves.iter().find(|shelf| shelf.number == Some(part.number));
        let shelf = match open {
            Some(shelf) if *shelf.live == part.live => shelf.clone(),
            Some(shelf) => {
                let live_terms = part.live.iter().map(|place| u64::from(shelf.segment.length(place))).sum();
                let live_documents = part.live.count();
                Shelf { live: Arc::new(part.live.clone()), live_documents, live_terms, ..shelf.clone() }
            }
            None => {
                let segment = Segment::open(Bytes::map(&segment_path(folder, part.number))?)?;
                if segment.documents() != part.documents || (segment.width() != 0 && segment.width() != manifest.width)
                {
                    return Err(Error::corrupt("a segment is not the one that the manifest names"));
                }
                Shelf::new(segment, Some(part.number), part.live.clone())
            }
        };
        state.shelves.push(shelf);
    }
    let (batches, end) = log::read(&log_path(folder, manifest.log), 0)?;
    if !batches.is_empty() {
        state = state.after(&Batch::folded(batches))?.0;
    }
    Ok((Disk { manifest, stamp, end }, state))
}

/// Which segments to join next, by place.
fn due(shelves: &[Shelf], limits: &Limits, everything: bool) -> Option<Vec<usize>> {
    let all = || shelves.iter().enumerate();
    if everything {
        return (shelves.len() > 1 || all().any(|(_, shelf)| !shelf.is_whole())).then(|| (0..shelves.len()).collect());
    }
    // One of which more than half was deleted is written again without that.
    if let Some((place, _)) = all().find(|(_, shelf)| shelf.live_documents * 2 < shelf.segment.documents()) {
        return Some(vec![place]);
    }
    let fan = limits.fan.max(2);
    let tier = |shelf: &Shelf| (shelf.live_documents.max(1) / limits.documents.max(1)).max(1).ilog(fan);
    let small: Vec<(usize, u32)> = all()
        .filter(|(_, shelf)| shelf.live_documents < limits.largest)
        .map(|(place, shelf)| (place, tier(shelf)))
        .collect();
    let alike = |wanted: u32| small.iter().filter(|found| found.1 == wanted).map(|found| found.0).collect::<Vec<_>>();
    small.iter().map(|found| alike(found.1)).find(|places| places.len() >= fan)
}

/// Take the folder's lock, which goes with the file handle.
fn lock(folder: &Path, wait: Duration) -> Result<File> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.create(true).truncate(false).write(true).open(&path).at(&path)?;
    let until = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::WouldBlock) => return Err(Error::Locked),
            Err(TryLockError::Error(error)) => return Err(error).at(&path),
        }
    }
}

/// Check a batch and bring it into the form in which it is written.
fn prepare(batch: &mut Batch, mut width: usize) -> Result<()> {
    let mut seen = HashSet::new();
    let mut last: Vec<Document> = Vec::with_capacity(batch.upserts.len());
    for mut document in batch.upserts.drain(..).rev() {
        if !seen.insert(document.id.clone()) {
            continue;
        }
        if document.id.is_empty() {
            return Err(Error::Invalid("a document needs an id".to_owned()));
        }
        document.tags.sort_unstable();
        document.tags.dedup();
        let mut links = HashSet::new();
        document.links.retain(|link| links.insert(link.clone()));
        if let Some(vector) = &document.vector {
            if width == 0 {
                width = vector.len();
            }
            if vector.len() != width || width == 0 || width > 65_536 {
                let found = vector.len();
                return Err(Error::Invalid(format!(
                    "a vector has {found} components; those of this index have {width}"
                )));
            }
            document.vector = Some(vectors::normalised(vector)?);
        }
        last.push(document);
    }
    last.reverse();
    batch.upserts = last;
    let mut gone = HashSet::new();
    batch.deletes.retain(|id| !seen.contains(id) && gone.insert(id.clone()));
    Ok(())
}
