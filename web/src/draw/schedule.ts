import type { RecordingWindow, Schedule } from '@/api/types'

const DAY_MINUTES = 1440

export function everyDay(start: number, end: number, timezone: string): Schedule {
  return { windows: [{ days: [0, 1, 2, 3, 4, 5, 6], start, end }], timezone, special: [], day_off_like: 6, working_like: 0 }
}

/** "Mon–Wed, Sat": days that follow each other as one, from three on; `names` from Monday to Sunday. */
export function daysText(days: readonly number[], names: readonly string[], comma = ', '): string {
  const sorted = [...new Set(days)].sort()
  const runs: number[][] = []
  for (const day of sorted) {
    const run = runs.at(-1)
    if (run && run.at(-1) === day - 1) run.push(day)
    else runs.push([day])
  }
  return runs
    .flatMap((run) => (run.length > 2 ? [`${names[run[0]!]}–${names[run.at(-1)!]}`] : run.map((day) => names[day]!)))
    .join(comma)
}

const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`

/** "Mon–Fri 22:00–06:00"; a window that begins at midnight and ends there is the days alone. */
export function windowText(window: RecordingWindow, names: readonly string[], comma = ', '): string {
  const days = daysText(window.days, names, comma)
  if (window.start === 0 && window.end === DAY_MINUTES) return days
  return `${days} ${clock(window.start)}–${clock(window.end)}`
}

/** Most windows are few; of many the first ones, and a dash of dots. */
export function hoursText(windows: readonly RecordingWindow[], names: readonly string[], comma = ', ', most = 3): string {
  const shown = windows.slice(0, most).map((window) => windowText(window, names, comma))
  return [...shown, ...(windows.length > most ? ['…'] : [])].join(' · ')
}
