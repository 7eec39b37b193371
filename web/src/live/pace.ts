import type { Span } from '@/media/spans'

/** How far behind the live edge to play, and what to do about it. All in seconds of media time. */

export interface PaceInput {
  /** Where the video stands. */
  time: number
  /** The end of what is buffered. */
  edge: number
  /** How far boxes trail the edge: waiting for them keeps them in step with the picture. */
  trackDelay: number
  /** Monotonic seconds. */
  now: number
}

export type PaceStep = { seek: number; rate: 1 } | { seek: null; rate: number }

export const NEAREST = 0.35
const FARTHEST = 1.6
const TRACKS_AT_MOST = 1.0
const LOST = 4
const STALL_COSTS = 0.25
const FORGIVEN_AFTER = 20

/** Keeps one player near the live edge: gently by rate, by a jump only when it fell far behind. */
export class Pace {
  private extra = 0
  private lastStall = 0
  private hurrying = false

  /** The picture stopped for want of data: keep farther away from the edge for a while. */
  stalled(now: number): void {
    this.extra = Math.min(FARTHEST - NEAREST, this.extra + STALL_COSTS)
    this.lastStall = now
  }

  /** The distance aimed at. */
  target(trackDelay: number): number {
    const tracks = Math.min(Math.max(trackDelay, 0), TRACKS_AT_MOST)
    return Math.min(FARTHEST, Math.max(NEAREST, tracks) + this.extra)
  }

  step(input: PaceInput): PaceStep {
    if (this.extra > 0 && input.now - this.lastStall > FORGIVEN_AFTER) {
      this.extra = Math.max(0, this.extra - STALL_COSTS)
      this.lastStall = input.now
    }
    const target = this.target(input.trackDelay)
    const lag = input.edge - input.time
    if (lag > Math.max(LOST, target + 2)) {
      this.hurrying = false
      return { seek: input.edge - target, rate: 1 }
    }
    if (this.hurrying) this.hurrying = lag > target + 0.05
    else this.hurrying = lag > target + 0.35
    if (this.hurrying) return { seek: null, rate: lag > target + 1 ? 1.2 : 1.08 }
    if (lag < target * 0.5) return { seek: null, rate: 0.94 }
    return { seek: null, rate: 1 }
  }
}

/** Where to jump when the video stands at a hole in what is buffered, or null when it does not. */
export function acrossGap(time: number, spans: readonly Span[]): number | null {
  for (const span of spans) {
    if (time < span.start - 0.001) return span.start + 0.001
    if (time < span.end - 0.05) return null
  }
  return null
}
