import type { Box, Point, TrackBox, TrackFrame } from '@/api/types'

/** Boxes of two pictures are joined only when the pictures are this close: farther apart, nobody knows the way. */
const JOIN_S = 1.2
/** A box without a successor stays this long. */
const HOLD_S = 0.5
const KEEP_S = 20
const TRAIL_S = 3

export interface Drawn {
  id: number
  label: string
  score: number
  box: Box
  seen: boolean
  trail: Point[]
}

function mix(a: Box, b: Box, share: number): Box {
  return [
    a[0] + (b[0] - a[0]) * share,
    a[1] + (b[1] - a[1]) * share,
    a[2] + (b[2] - a[2]) * share,
    a[3] + (b[3] - a[3]) * share,
  ]
}

export function foot(box: Box): Point {
  return [(box[0] + box[2]) / 2, box[3]]
}

/** The last seconds of one camera's tracks, so that the boxes drawn belong to the picture shown. */
export class TrackBuffer {
  private frames: TrackFrame[] = []
  private epoch = -1

  push(frame: TrackFrame): void {
    if (frame.epoch < this.epoch) return
    if (frame.epoch > this.epoch) {
      this.frames = []
      this.epoch = frame.epoch
    }
    let place = this.frames.length
    while (place > 0 && this.frames[place - 1]!.stream_time_s > frame.stream_time_s) place -= 1
    if (place > 0 && this.frames[place - 1]!.stream_time_s === frame.stream_time_s) this.frames[place - 1] = frame
    else this.frames.splice(place, 0, frame)
    const oldest = this.newest - KEEP_S
    while (this.frames.length && this.frames[0]!.stream_time_s < oldest) this.frames.shift()
  }

  /** Stream time of the newest picture analysed, or -Infinity. */
  get newest(): number {
    return this.frames.at(-1)?.stream_time_s ?? -Infinity
  }

  /** Whether pictures are analysed at full rate now, rather than lone key frames of a quiet scene. */
  get active(): boolean {
    return this.frames.at(-1)?.gate_open ?? false
  }

  clear(): void {
    this.frames = []
  }

  /** What was to be seen at that moment of the stream: nothing, when it was not analysed. */
  at(epoch: number, time: number): Drawn[] {
    if (epoch !== this.epoch) return []
    const index = this.before(time)
    const first = this.frames[index]
    if (!first) return []
    const second = this.frames[index + 1]
    const next = second && second.stream_time_s - first.stream_time_s <= JOIN_S ? second : undefined
    const held = next !== undefined || time - first.stream_time_s <= HOLD_S
    if (!held) return []
    return first.tracks.map((track) => this.drawn(track, index, first, next, time))
  }

  private drawn(
    track: TrackBox,
    index: number,
    first: TrackFrame,
    next: TrackFrame | undefined,
    time: number,
  ): Drawn {
    const successor = next?.tracks.find((other) => other.id === track.id)
    let box = track.box
    if (next && successor) {
      const share = (time - first.stream_time_s) / (next.stream_time_s - first.stream_time_s)
      box = mix(track.box, successor.box, share)
    }
    return { id: track.id, label: track.label, score: track.score, box, seen: track.seen, trail: this.trail(track.id, index, time, box) }
  }

  private trail(id: number, index: number, time: number, box: Box): Point[] {
    const points: Point[] = [foot(box)]
    for (let i = index; i >= 0; i -= 1) {
      const frame = this.frames[i]!
      if (time - frame.stream_time_s > TRAIL_S) break
      const track = frame.tracks.find((other) => other.id === id)
      if (track) points.unshift(foot(track.box))
    }
    return points
  }

  /** Index of the last frame at or before `time`; -1 when there is none. */
  private before(time: number): number {
    let low = 0
    let high = this.frames.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.frames[middle]!.stream_time_s <= time) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

const buffers = new Map<string, TrackBuffer>()

/** One buffer a camera, shared by all that draw it; not reactive, since it changes with every picture. */
export function tracksOf(camera: string): TrackBuffer {
  let buffer = buffers.get(camera)
  if (!buffer) {
    buffer = new TrackBuffer()
    buffers.set(camera, buffer)
  }
  return buffer
}
