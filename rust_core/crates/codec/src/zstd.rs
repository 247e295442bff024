//! zstd with contexts that are used again: making one costs more than compressing a small payload.

use std::cell::RefCell;

use zstd_safe::{CCtx, CParameter, DCtx, DParameter, FrameFormat};

use crate::Error;
use crate::dictionaries::Dictionary;

/// Level without a dictionary.
const LEVEL: i32 = 3;
/// Level with one. Payloads are small then, and level 3 was measured to take half as long again for 2 % of the bytes.
pub(crate) const DICTIONARY_LEVEL: i32 = 1;
/// Level of a delta, which has little to compress: most of the time goes into reading the parent.
const DELTA_LEVEL: i32 = 1;
/// Bytes of content from which the frame has a checksum.
const CHECKED: usize = 4096;
/// A block holds 128 KiB at most and takes 3 bytes at least: no honest body grows by more.
const MOST_GROWTH: usize = (128 << 10) / 3 + 1;

thread_local! {
    static PLAIN: RefCell<Option<(CCtx<'static>, Checksum)>> = const { RefCell::new(None) };
    static WITH_DICTIONARY: RefCell<Option<(CCtx<'static>, Checksum)>> = const { RefCell::new(None) };
    static EXPAND: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    static EXPAND_WITH_DICTIONARY: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    static EXPAND_FRAME: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// Whether a context writes checksums now.
type Checksum = bool;

const NO_MEMORY: Error = Error::System("there is no memory for zstd");
const DAMAGED: Error = Error::Damaged("the compressed bytes are damaged");
const BUSY: Error = Error::System("zstd is in use already");

fn fresh_compressor<'a>(level: i32) -> Result<CCtx<'a>, Error> {
    let mut context = CCtx::try_create().ok_or(NO_MEMORY)?;
    for parameter in [
        CParameter::CompressionLevel(level),
        CParameter::Format(FrameFormat::Magicless),
        CParameter::ContentSizeFlag(false),
        CParameter::DictIdFlag(false),
    ] {
        context.set_parameter(parameter).map_err(|_| NO_MEMORY)?;
    }
    Ok(context)
}

fn run(context: &mut CCtx<'_>, content: &[u8]) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(zstd_safe::compress_bound(content.len()));
    context.compress2(&mut body, content).map_err(|_| NO_MEMORY)?;
    Ok(body)
}

/// The content as a frame, with the dictionary if one is given.
pub(crate) fn compress(content: &[u8], dictionary: Option<&'static Dictionary>) -> Result<Vec<u8>, Error> {
    let kept = if dictionary.is_some() { &WITH_DICTIONARY } else { &PLAIN };
    kept.with(|kept| {
        let mut kept = kept.try_borrow_mut().map_err(|_| BUSY)?;
        if kept.is_none() {
            let mut context = fresh_compressor(LEVEL)?;
            if let Some(dictionary) = dictionary {
                context.ref_cdict(&dictionary.compress).map_err(|_| NO_MEMORY)?;
            }
            *kept = Some((context, false));
        }
        let Some((context, checks)) = kept.as_mut() else { return Err(NO_MEMORY) };
        let wanted = content.len() >= CHECKED;
        if *checks != wanted {
            context.set_parameter(CParameter::ChecksumFlag(wanted)).map_err(|_| NO_MEMORY)?;
            *checks = wanted;
        }
        run(context, content)
    })
}

/// The content as a frame that needs the parent to be read.
pub(crate) fn compress_delta(content: &[u8], parent: &[u8]) -> Result<Vec<u8>, Error> {
    let mut context = fresh_compressor(DELTA_LEVEL)?;
    context.set_parameter(CParameter::ChecksumFlag(content.len() >= CHECKED)).map_err(|_| NO_MEMORY)?;
    for parameter in [
        // Short matches are found in the neighbourhood; the long ones in the parent are found by this.
        CParameter::EnableLongDistanceMatching(true),
        CParameter::LdmHashRateLog(4),
        CParameter::LdmMinMatch(64),
    ] {
        context.set_parameter(parameter).map_err(|_| NO_MEMORY)?;
    }
    context.ref_prefix(parent).map_err(|_| NO_MEMORY)?;
    run(&mut context, content)
}

fn fresh_expander<'a>() -> Result<DCtx<'a>, Error> {
    let mut context = DCtx::try_create().ok_or(NO_MEMORY)?;
    context.set_parameter(DParameter::Format(FrameFormat::Magicless)).map_err(|_| NO_MEMORY)?;
    Ok(context)
}

/// Room for the content; refuses sizes that the body cannot have, so that a lie costs nothing.
fn room(body: &[u8], size: usize) -> Result<Vec<u8>, Error> {
    if size / MOST_GROWTH > body.len() {
        return Err(Error::Damaged("the size is not that of the compressed bytes"));
    }
    let mut content = Vec::new();
    content.try_reserve_exact(size).map_err(|_| Error::System("there is no memory for the content"))?;
    Ok(content)
}

fn expand_with(context: &mut DCtx<'_>, body: &[u8], size: usize) -> Result<Vec<u8>, Error> {
    let mut content = room(body, size)?;
    context.decompress(&mut content, body).map_err(|_| DAMAGED)?;
    if content.len() == size { Ok(content) } else { Err(DAMAGED) }
}

/// The content of a frame of `compress`.
pub(crate) fn expand(body: &[u8], size: usize, dictionary: Option<&'static Dictionary>) -> Result<Vec<u8>, Error> {
    let kept = if dictionary.is_some() { &EXPAND_WITH_DICTIONARY } else { &EXPAND };
    kept.with(|kept| {
        let mut kept = kept.try_borrow_mut().map_err(|_| BUSY)?;
        if kept.is_none() {
            *kept = Some(fresh_expander()?);
        }
        let Some(context) = kept.as_mut() else { return Err(NO_MEMORY) };
        if let Some(dictionary) = dictionary {
            context.ref_ddict(&dictionary.decompress).map_err(|_| NO_MEMORY)?;
        }
        expand_with(context, body, size)
    })
}

/// The content of a frame of `compress_delta`.
pub(crate) fn expand_delta(body: &[u8], size: usize, parent: &[u8]) -> Result<Vec<u8>, Error> {
    let mut context = fresh_expander()?;
    context.ref_prefix(parent).map_err(|_| NO_MEMORY)?;
    expand_with(&mut context, body, size)
}

/// The content of a whole zstd frame with magic number and content size, as older versions wrote it.
pub(crate) fn expand_frame(frame: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let size = zstd_safe::get_frame_content_size(frame).ok().flatten().ok_or(DAMAGED)?;
    let fits = usize::try_from(size).ok().filter(|size| *size <= limit);
    let size = fits.ok_or(Error::TooLarge { size, limit })?;
    EXPAND_FRAME.with(|kept| {
        let mut kept = kept.try_borrow_mut().map_err(|_| BUSY)?;
        if kept.is_none() {
            *kept = Some(DCtx::try_create().ok_or(NO_MEMORY)?);
        }
        let Some(context) = kept.as_mut() else { return Err(NO_MEMORY) };
        expand_with(context, frame, size)
    })
}
