import type { LedgerSpan } from '@/api/types'
import type { Range } from '@/draw/timeline'

/** A stretch of a camera's day, in milliseconds since 1970. */
export interface Stretch extends Range {
  state: string
  detail: string
}

export interface Bar extends Stretch {
  /** Per cent of the view. */
  left: number
  width: number
}

export const stretches = (spans: readonly LedgerSpan[]): Stretch[] =>
  spans.map((span) => ({
    from: span.from_s * 1000,
    to: span.to_s * 1000,
    state: span.state,
    detail: span.detail,
  }))

export const hasFootage = (state: string): boolean => state === 'recorded' || state === 'pooled'

/** What matters more to a guard is drawn where several share a pixel: footage last, faults first. */
const WEIGHT: Record<string, number> = {
  recorded: 1,
  pooled: 1,
  policy: 2,
  disabled: 2,
  retention: 3,
  clock: 4,
  deleted: 5,
  node_down: 6,
  disk: 6,
  loss: 6,
  camera_down: 6,
}

/**
 * The bars of a view that is `pixels` wide. Stretches narrower than a pixel are drawn together as one of the weightiest
 * of them, so that a whole day of short faults stays visible and cheap.
 */
export function bars(all: readonly Stretch[], view: Range, pixels: number): Bar[] {
  const length = view.to - view.from
  const least = length / Math.max(1, pixels)
  const found: Bar[] = []
  let crowd: Stretch | null = null
  const push = (stretch: Stretch): void => {
    const from = Math.max(view.from, stretch.from)
    const to = Math.min(view.to, stretch.to)
    found.push({ ...stretch, left: ((from - view.from) / length) * 100, width: ((to - from) / length) * 100 })
  }
  for (const stretch of all) {
    if (stretch.to <= view.from || stretch.from >= view.to) continue
    if (stretch.to - stretch.from >= least) {
      if (crowd) push(crowd)
      crowd = null
      push(stretch)
      continue
    }
    if (crowd && stretch.to - crowd.from <= 2 * least) {
      const heavier: Stretch = (WEIGHT[stretch.state] ?? 0) > (WEIGHT[crowd.state] ?? 0) ? stretch : crowd
      crowd = { ...heavier, from: crowd.from, to: stretch.to }
    } else {
      if (crowd) push(crowd)
      crowd = { ...stretch }
    }
  }
  if (crowd) push(crowd)
  return found
}

/** The stretch at a moment. */
export function stretchAt(all: readonly Stretch[], time: number): Stretch | null {
  let [low, high] = [0, all.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const stretch = all[middle]!
    if (time < stretch.from) high = middle - 1
    else if (time >= stretch.to) low = middle + 1
    else return stretch
  }
  return null
}

/** Footage only, with the seams between recorded and pooled closed. */
export function footageOf(all: readonly Stretch[]): Range[] {
  const joined: Range[] = []
  for (const stretch of all) {
    if (!hasFootage(stretch.state)) continue
    const last = joined.at(-1)
    if (last && stretch.from - last.to < 1) last.to = stretch.to
    else joined.push({ from: stretch.from, to: stretch.to })
  }
  return joined
}
