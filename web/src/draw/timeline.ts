/** Milliseconds since 1970. */
export interface Range {
  from: number
  to: number
}

const LEAST_MS = 60_000

/** A window about `centre`, `length` long, inside the day. */
export function windowAround(centre: number, length: number, day: Range): Range {
  const span = Math.min(day.to - day.from, Math.max(LEAST_MS, length))
  const from = Math.min(day.to - span, Math.max(day.from, centre - span / 2))
  return { from, to: from + span }
}

/** The view made longer or shorter by `factor`; what lies under `centre` stays there. */
export function zoomed(view: Range, factor: number, centre: number, day: Range): Range {
  const length = view.to - view.from
  const next = Math.min(day.to - day.from, Math.max(LEAST_MS, length * factor))
  const kept = (centre - view.from) / length
  return windowAround(centre + (0.5 - kept) * next, next, day)
}

/** The view moved so that `time` is inside, where it is not. */
export function following(view: Range, time: number, day: Range): Range {
  if (time >= view.from && time <= view.to) return view
  return windowAround(time, view.to - view.from, day)
}

/** The window that shows all of these stretches with some air around them. */
export function fit(ranges: readonly Range[], day: Range): Range {
  const [first, last] = [ranges[0], ranges.at(-1)]
  if (!first || !last) return day
  return windowAround((first.from + last.to) / 2, Math.max(10 * 60_000, (last.to - first.from) * 1.1), day)
}

const STEPS_S = [5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800]

/** Times for the ruler: whole steps of the local day, at most `most` of them. */
export function ticks(window: Range, most: number, day: Range): number[] {
  const seconds = (window.to - window.from) / 1000
  const step = (STEPS_S.find((candidate) => seconds / candidate <= most) ?? 14_400) * 1000
  const first = day.from + Math.ceil((window.from - day.from) / step) * step
  const times: number[] = []
  for (let time = first; time <= window.to; time += step) times.push(time)
  return times
}
