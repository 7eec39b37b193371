import { describe, expect, it } from 'vitest'

import { daysText, everyDay, hoursText, windowText } from '@/draw/schedule'

const NAMES = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

describe('the hours of a schedule in words', () => {
  it.each([
    [[0, 1, 2, 3, 4, 5, 6], 'Mon–Sun'],
    [[4, 0, 2, 1], 'Mon–Wed, Fri'],
    [[5, 6], 'Sat, Sun'],
    [[3, 3], 'Thu'],
    [[], ''],
  ])('days that follow each other are one', (days, text) => {
    expect(daysText(days, NAMES)).toBe(text)
  })

  it('a window over midnight is told as it was set, a whole day by its name alone', () => {
    expect(windowText({ days: [0, 1, 2], start: 1320, end: 365 }, NAMES)).toBe('Mon–Wed 22:00–06:05')
    expect(windowText({ days: [5, 6], start: 0, end: 1440 }, NAMES, '、')).toBe('Sat、Sun')
    expect(windowText({ days: [5], start: 600, end: 1440 }, NAMES)).toBe('Sat 10:00–24:00')
  })

  it('of many windows the first are told', () => {
    const windows = [1, 2, 3, 4].map((day) => ({ days: [day], start: 60, end: 120 }))
    expect(hoursText(windows, NAMES)).toBe('Tue 01:00–02:00 · Wed 01:00–02:00 · Thu 01:00–02:00 · …')
    expect(hoursText(everyDay(0, 1440, 'UTC').windows, NAMES)).toBe('Mon–Sun')
  })
})
