import type { RecordingWindow } from '@/api/types'

export const DAYS = 7
export const HOURS = 24
const DAY_MINUTES = 1440

/** One flag a minute, Monday first: windows keep their minutes although the grid shows hours. */
export type Week = Uint8Array

export function weekOf(windows: readonly RecordingWindow[]): Week {
  const week = new Uint8Array(DAYS * DAY_MINUTES)
  for (const window of windows) {
    for (const day of window.days) week.fill(1, day * DAY_MINUTES + window.start, day * DAY_MINUTES + window.end)
  }
  return week
}

/** How much of an hour is on, 0 to 1. */
export function share(week: Week, day: number, hour: number): number {
  const start = day * DAY_MINUTES + hour * 60
  let on = 0
  for (let minute = start; minute < start + 60; minute += 1) on += week[minute] ?? 0
  return on / 60
}

/** A rectangle of hours switched on or off; corners in any order. */
export function paint(week: Week, from: [number, number], to: [number, number], on: boolean): Week {
  const next = week.slice()
  const [firstDay, lastDay] = [Math.min(from[0], to[0]), Math.max(from[0], to[0])]
  const [firstHour, lastHour] = [Math.min(from[1], to[1]), Math.max(from[1], to[1])]
  for (let day = firstDay; day <= lastDay; day += 1) {
    next.fill(on ? 1 : 0, day * DAY_MINUTES + firstHour * 60, day * DAY_MINUTES + (lastHour + 1) * 60)
  }
  return next
}

/** The fewest windows that say the same: days that agree on a stretch share one. */
export function windowsOf(week: Week): RecordingWindow[] {
  const found = new Map<string, RecordingWindow>()
  for (let day = 0; day < DAYS; day += 1) {
    let start = -1
    for (let minute = 0; minute <= DAY_MINUTES; minute += 1) {
      const on = minute < DAY_MINUTES && week[day * DAY_MINUTES + minute] === 1
      if (on && start < 0) start = minute
      if (on || start < 0) continue
      const key = `${start}-${minute}`
      const known = found.get(key)
      if (known) known.days.push(day)
      else found.set(key, { days: [day], start, end: minute })
      start = -1
    }
  }
  return [...found.values()]
}

/** Hours a week. */
export function hours(week: Week): number {
  return week.reduce((sum, minute) => sum + minute, 0) / 60
}
