import { describe, expect, it } from 'vitest'

import { bars, footageOf, type Stretch, stretchAt } from '@/draw/ledger'

const stretch = (from: number, to: number, state: string): Stretch => ({ from, to, state, detail: '' })
const day = [
  stretch(0, 1000, 'recorded'),
  stretch(1000, 1100, 'camera_down'),
  stretch(1100, 2000, 'pooled'),
  stretch(2000, 5000, 'recorded'),
]

describe('ledger', () => {
  it('finds the stretch of every moment', () => {
    expect(stretchAt(day, 0)?.state).toBe('recorded')
    expect(stretchAt(day, 1099)?.state).toBe('camera_down')
    expect(stretchAt(day, 1100)?.state).toBe('pooled')
    expect(stretchAt(day, 5000)).toBeNull()
    expect(stretchAt([], 1)).toBeNull()
  })

  it('knows what can be played, kept for long or not', () => {
    expect(footageOf(day)).toEqual([
      { from: 0, to: 1000 },
      { from: 1100, to: 5000 },
    ])
  })

  it('draws a view in per cent, cut at its edges', () => {
    const drawn = bars(day, { from: 500, to: 1500 }, 1000)
    expect(drawn.map(({ left, width, state }) => [left, width, state])).toEqual([
      [0, 50, 'recorded'],
      [50, 10, 'camera_down'],
      [60, 40, 'pooled'],
    ])
  })

  it('keeps a fault of a second in sight on a whole day, and the number of bars small', () => {
    const long: Stretch[] = []
    for (let i = 0; i < 20_000; i += 1) {
      long.push(stretch(i * 4000, i * 4000 + 3000, 'recorded'), stretch(i * 4000 + 3000, i * 4000 + 4000, 'camera_down'))
    }
    const drawn = bars(long, { from: 0, to: 80_000_000 }, 1000)
    expect(drawn.length).toBeLessThan(1100)
    expect(drawn.every((bar) => bar.state === 'camera_down')).toBe(true)
    expect(drawn[0]!.left).toBe(0)
    expect(drawn.at(-1)!.left + drawn.at(-1)!.width).toBeCloseTo(100)
  })
})
