import type { Recording } from '@/api/types'

/** Milliseconds since 1970. */
export interface Range {
  from: number
  to: number
}

const JOIN_MS = 1500
const LEAST_MS = 60_000

/** Footage without the seams between its files. */
export function footage(recordings: readonly Recording[]): Range[] {
  const sorted = recordings
    .map((recording) => ({ from: Date.parse(recording.start), to: Date.parse(recording.end) }))
    .sort((a, b) => a.from - b.from)
  const joined: Range[] = []
  for (const range of sorted) {
    const last = joined.at(-1)
    if (last && range.from - last.to <= JOIN_MS) last.to = Math.max(last.to, range.to)
    else joined.push({ ...range })
  }
  return joined
}

/** The moment to play from: the one asked for, or where the next footage begins; null when there is none after it. */
export function playable(ranges: readonly Range[], at: number): number | null {
  for (const range of ranges) {
    if (at < range.from) return range.from
    if (at < range.to) return at
  }
  return null
}

/** A window about `centre`, `length` long, inside the day. */
export function windowAround(centre: number, length: number, day: Range): Range {
  const span = Math.min(day.to - day.from, Math.max(LEAST_MS, length))
  const from = Math.min(day.to - span, Math.max(day.from, centre - span / 2))
  return { from, to: from + span }
}

/** The window that shows all footage with some air around it. */
export function fit(ranges: readonly Range[], day: Range): Range {
  const [first, last] = [ranges[0], ranges.at(-1)]
  if (!first || !last) return day
  const length = Math.max(10 * 60_000, (last.to - first.from) * 1.1)
  return windowAround((first.from + last.to) / 2, length, day)
}

const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 180]

/** Times for the ruler: whole steps of the local day, at most `most` of them. */
export function ticks(window: Range, most: number, day: Range): number[] {
  const minutes = (window.to - window.from) / 60_000
  const step = (STEPS_MIN.find((candidate) => minutes / candidate <= most) ?? 240) * 60_000
  const first = day.from + Math.ceil((window.from - day.from) / step) * step
  const times: number[] = []
  for (let time = first; time <= window.to; time += step) times.push(time)
  return times
}
