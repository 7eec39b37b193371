import type { AnswerTimes } from '@/api/statistics'
import { isoDay } from '@/i18n/format'

/** One column or row of a chart. */
export interface Bar {
  key: string
  label: string
  value: number
}

/** Each day from the first to the last, in the browser's zone, with those on which nothing happened. */
export function everyDay(days: readonly { day: string; count: number }[], from: string, to: string): Bar[] {
  const counts = new Map(days.map(({ day, count }) => [day, count]))
  const found: Bar[] = []
  const last = isoDay(new Date(Date.parse(to) - 1))
  const at = new Date(from)
  // Noon, so that days of 23 or 25 hours are not skipped or taken twice.
  at.setHours(12, 0, 0, 0)
  for (let day = isoDay(at); day <= last; day = isoDay(at)) {
    found.push({ key: day, label: day.slice(5), value: counts.get(day) ?? 0 })
    at.setDate(at.getDate() + 1)
  }
  return found
}

/** Cumulative counts taken apart: how many were answered in each class of time; the last is open above. */
export function answerClasses(answer: AnswerTimes): { step: number | null; count: number }[] {
  let before = 0
  const steps = Object.entries(answer.within)
    .map(([step, count]) => ({ step: Number(step), count }))
    .sort((a, b) => a.step - b.step)
  const classes: { step: number | null; count: number }[] = steps.map(({ step, count }) => {
    const here = { step, count: count - before }
    before = count
    return here
  })
  return [...classes, { step: null, count: answer.answered - before }]
}

/** A round number that is not below the greatest value: the top of a chart's axis. */
export function ceiling(values: readonly number[]): number {
  const most = Math.max(1, ...values)
  const power = 10 ** Math.floor(Math.log10(most))
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= most) ?? most
}

/** Per cent without a false hundred: 99.996 of 100 is not all. */
export function percent(share: number, digits = 1): number {
  const scale = 10 ** digits
  const value = share * 100
  const rounded = Math.round(value * scale) / scale
  if (rounded >= 100 && share < 1) return 100 - 1 / scale
  if (rounded <= 0 && share > 0) return 1 / scale
  return rounded
}
