import type { Span } from '@/media/spans'

/** The recorder writes pictures as track 1, in ticks of 90 kHz. */
const VIDEO_TRACK = 1
const TIMESCALE = 90_000
/** More than a buffer holds: 100 s at 60 frames a second, and some. */
const MOST = 8192
/** Browsers tell times of frames in whole microseconds. */
const SLACK_S = 0.001

interface Box {
  kind: string
  start: number
  end: number
}

function* boxes(view: DataView, start: number, end: number): Generator<Box> {
  while (start + 8 <= end) {
    const size = view.getUint32(start)
    if (size < 8 || start + size > end) return
    const kind = String.fromCharCode(...[4, 5, 6, 7].map((at) => view.getUint8(start + at)))
    yield { kind, start, end: start + size }
    start += size
  }
}

/** When each frame of one `traf` is shown; ISO/IEC 14496-12 clauses 8.8.7 (tfhd), 8.8.8 (trun), 8.8.12 (tfdt). */
function track(view: DataView, start: number, end: number): Span[] {
  const found: Span[] = []
  let time = 0
  for (const box of boxes(view, start + 8, end)) {
    if (box.kind === 'tfhd' && view.getUint32(box.start + 12) !== VIDEO_TRACK) return []
    if (box.kind === 'tfdt') {
      time = view.getUint8(box.start + 8) ? Number(view.getBigUint64(box.start + 12)) : view.getUint32(box.start + 12)
    }
    if (box.kind !== 'trun') continue
    const flags = view.getUint32(box.start + 8)
    const has = (flag: number): number => (flags & flag ? 4 : 0)
    const row = has(0x100) + has(0x200) + has(0x400) + has(0x800)
    let at = box.start + 16 + has(0x1) + has(0x4)
    const count = Math.min(view.getUint32(box.start + 12), row ? Math.floor((box.end - at) / row) : 0)
    if (!has(0x100)) continue
    for (let frame = 0; frame < count; frame += 1, at += row) {
      const lasts = view.getUint32(at)
      const shown = time + (has(0x800) ? view.getInt32(at + row - 4) : 0)
      found.push({ start: shown / TIMESCALE, end: (shown + lasts) / TIMESCALE })
      time += lasts
    }
  }
  return found
}

/** When each frame of fragmented MP4 (whole `moof`s, as the recorder sends it) is shown, in media seconds. */
export function framesOf(data: ArrayBuffer): Span[] {
  const view = new DataView(data)
  const found: Span[] = []
  for (const moof of boxes(view, 0, view.byteLength)) {
    if (moof.kind !== 'moof') continue
    for (const traf of boxes(view, moof.start + 8, moof.end)) {
      if (traf.kind === 'traf') found.push(...track(view, traf.start, traf.end))
    }
  }
  return found.sort((one, other) => one.start - other.start)
}

/**
 * The frames of what was appended, for going from one to the next. Watching which frames a browser shows does not tell:
 * a busy machine leaves some out, and cameras change their rate.
 */
export class FrameTimes {
  private frames: Span[] = []

  add(data: ArrayBuffer): void {
    const more = framesOf(data)
    const last = this.frames.at(-1)
    const sorted = !last || !more[0] || more[0].start >= last.start
    this.frames.push(...more)
    if (!sorted) this.frames.sort((one, other) => one.start - other.start)
    if (this.frames.length > MOST) this.frames.splice(0, this.frames.length - MOST)
  }

  clear(): void {
    this.frames = []
  }

  /** The middle of the frame after (1) or before (-1) the one that is shown at `time`; null where none is known. */
  beside(time: number, by: 1 | -1): number | null {
    const at = this.frames.findLastIndex((frame) => frame.start <= time + SLACK_S)
    const frame = at < 0 ? undefined : this.frames[at + by]
    if (!frame) return null
    const next = this.frames[at + by + 1]
    return (frame.start + (next ? Math.min(frame.end, next.start) : frame.end)) / 2
  }
}
