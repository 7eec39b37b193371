import { describe, expect, it } from 'vitest'

import { outline, withMask } from '@/draw/masks'
import { answerClasses, ceiling, everyDay, percent } from '@/draw/sums'
import { isoDay } from '@/i18n/format'

describe('days of a chart', () => {
  it('are all there, with those on which nothing happened', () => {
    const from = new Date(2026, 10, 1, 15).toISOString()
    const to = new Date(2026, 10, 4, 9).toISOString()
    const days = everyDay([{ day: '2026-11-03', count: 7 }], from, to)
    expect(days.map(({ key, value }) => [key, value])).toEqual([
      ['2026-11-01', 0],
      ['2026-11-02', 0],
      ['2026-11-03', 7],
      ['2026-11-04', 0],
    ])
  })

  it('are neither skipped nor doubled in a year with changes of the clocks', () => {
    const days = everyDay([], new Date(2026, 0, 1).toISOString(), new Date(2027, 0, 1).toISOString())
    expect(new Set(days.map(({ key }) => key)).size).toBe(365)
    expect(days.at(-1)?.key).toBe(isoDay(new Date(2026, 11, 31)))
  })
})

describe('times to an answer', () => {
  it('are taken apart, with those that took longer than the last class', () => {
    const answer = { answered: 10, mean_s: 1, median_within_s: 30, p95_within_s: null, within: { '60': 8, '15': 3, '30': 5 } }
    expect(answerClasses(answer)).toEqual([
      { step: 15, count: 3 },
      { step: 30, count: 2 },
      { step: 60, count: 3 },
      { step: null, count: 2 },
    ])
  })
})

describe('figures of a chart', () => {
  it('have a round top that nothing rises above', () => {
    expect([[], [1], [3], [7], [11], [50], [51], [120]].map(ceiling)).toEqual([1, 1, 5, 10, 20, 50, 100, 200])
  })

  it('claim neither all nor nothing falsely', () => {
    expect([1, 0, 0.99999, 0.00001, 0.5].map((share) => percent(share))).toEqual([100, 0, 99.9, 0.1, 50])
    expect(percent(0.999_999, 2)).toBe(99.99)
  })
})

describe('masks', () => {
  it('are changed, added and taken away without touching the others', () => {
    const [a, b, c] = [[[0, 0]], [[1, 1]], [[0.5, 0.5]]] as [number, number][][]
    const two = [a!, b!]
    expect(withMask(two, 1, c!)).toEqual([a, c])
    expect(withMask(two, 2, c!)).toEqual([a, b, c])
    expect(withMask(two, 0, null)).toEqual([b])
    expect(two).toEqual([a, b])
  })

  it('lie on the picture where they were drawn', () => {
    expect(outline([[0, 0], [1, 0], [0.5, 1]], 640, 360)).toBe('0.0,0.0 640.0,0.0 320.0,360.0')
  })
})
