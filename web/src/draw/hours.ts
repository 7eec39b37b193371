import type { RecordingWindow } from '@/api/types'

const DAY_MINUTES = 1440

/** Windows over midnight as two, which the week's grid can show: they watch the same minutes of plain weeks. */
export function unfolded(windows: readonly RecordingWindow[]): RecordingWindow[] {
  return windows.flatMap((window) => {
    if (window.end > window.start) return [window]
    const tonight = { ...window, end: DAY_MINUTES }
    const morning = { days: window.days.map((day) => (day + 1) % 7), start: 0, end: window.end }
    return window.end > 0 ? [tonight, morning] : [tonight]
  })
}

/** The other way: what ends at midnight and goes on the next morning belongs to the day on which it begins. */
export function folded(windows: readonly RecordingWindow[]): RecordingWindow[] {
  const single = windows.flatMap((window) => window.days.map((day) => ({ day, start: window.start, end: window.end })))
  const mornings = new Map(single.filter((one) => one.start === 0 && one.end < DAY_MINUTES).map((one) => [one.day, one]))
  const found = new Map<string, RecordingWindow>()
  const gone = new Set<(typeof single)[number]>()
  const spans: { day: number; start: number; end: number }[] = []
  for (const one of single) {
    const next = mornings.get((one.day + 1) % 7)
    if (one.end === DAY_MINUTES && one.start > 0 && next && next.end <= one.start) {
      spans.push({ day: one.day, start: one.start, end: next.end })
      gone.add(one)
      gone.add(next)
    }
  }
  for (const span of [...single.filter((one) => !gone.has(one)), ...spans]) {
    const key = `${span.start}-${span.end}`
    const known = found.get(key)
    if (known) known.days.push(span.day)
    else found.set(key, { days: [span.day], start: span.start, end: span.end })
  }
  return [...found.values()].map((window) => ({ ...window, days: window.days.sort() }))
}
