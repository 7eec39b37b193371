import { describe, expect, it } from 'vitest'

import { hours, paint, share, weekOf, windowsOf } from '@/draw/week'

describe('week', () => {
  it('says the same windows in the fewest words', () => {
    const windows = [
      { days: [0, 1, 2, 3, 4], start: 480, end: 1080 },
      { days: [5], start: 0, end: 1440 },
    ]
    expect(windowsOf(weekOf(windows))).toEqual(windows)
    const split = [0, 1].flatMap((day) => [
      { days: [day], start: 0, end: 60 },
      { days: [day], start: 60, end: 120 },
    ])
    expect(windowsOf(weekOf(split))).toEqual([{ days: [0, 1], start: 0, end: 120 }])
  })

  it('keeps the minutes of hours that nobody painted', () => {
    const week = weekOf([{ days: [2], start: 495, end: 615 }])
    expect([share(week, 2, 8), share(week, 2, 9), share(week, 2, 10)]).toEqual([0.75, 1, 0.25])
    const painted = paint(week, [2, 20], [2, 20], true)
    expect(windowsOf(painted)).toEqual([
      { days: [2], start: 495, end: 615 },
      { days: [2], start: 1200, end: 1260 },
    ])
  })

  it('paints rectangles whichever corner they begin at', () => {
    const week = paint(weekOf([]), [4, 17], [0, 8], true)
    expect(hours(week)).toBe(50)
    expect(windowsOf(week)).toEqual([{ days: [0, 1, 2, 3, 4], start: 480, end: 1080 }])
    expect(windowsOf(paint(week, [0, 0], [6, 23], false))).toEqual([])
  })
})
